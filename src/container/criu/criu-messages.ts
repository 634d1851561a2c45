/** The messages of proto/criu.proto as code. */
import '../../sys/polyfill.js';
import protobuf from 'protobufjs/minimal.js';
import { criu } from '../../../build/gen/criu.js';

protobuf.util.Long = undefined as never;
protobuf.configure();

/** Types of requests and answers. */
export const Type = criu.criu_req_type;
/** criu's values for `--manage-cgroups-mode`. */
export const CgroupMode = criu.criu_cg_mode;
export const { criu_req: Request, criu_resp: Response } = criu;

export type CriuRequest = criu.Icriu_req;
export type CriuResponse = criu.criu_resp;
export type CriuOptions = criu.Icriu_opts;
