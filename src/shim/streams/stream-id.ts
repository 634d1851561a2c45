/** Names of streams that containerd moves by its streaming service: `ttrpc+unix:///path?streaming_id=ID`. */

/** The id in the name of such a stream; undefined for another kind. */
export function streamId(name: string): string | undefined {
  const id = /^(?:ttrpc|grpc)\+unix:\/\/[^?]*\?(?:[^#]*&)?streaming_id=([^&#]+)/.exec(name)?.[1];
  return id === undefined ? undefined : decodeURIComponent(id);
}
