// Passes connections to 127.0.0.1 on to a unix socket: relay.mjs SOCKET. Prints its port.
import { connect, createServer } from 'node:net';

const server = createServer((client) => {
  const socket = connect(process.argv[2]);
  client.pipe(socket).pipe(client);
  for (const [one, other] of [
    [client, socket],
    [socket, client],
  ]) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
