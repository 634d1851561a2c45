/** errno numbers of Linux, their names and texts. */
export {};
