/** protobufjs, configured for all generated messages: a module of build/gen is imported after this one. */
import '../../sys/polyfill.js';
import protobuf from 'protobufjs/minimal.js';

// Decode 64-bit integers as numbers: those that runt reads are exact. To encode, { low, high } works too.
protobuf.util.Long = undefined as never;
protobuf.configure();
// Allocate each message by itself: protobufjs cuts slabs of 8 KB, and one queued message would hold a whole slab.
protobuf.Writer.alloc = (size) => new Uint8Array(size);
