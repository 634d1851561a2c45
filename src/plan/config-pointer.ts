/** JSON pointers into a config: the value that an operation came from. */
export { at as valueAt } from '../spec/json/json-pointer.js';
