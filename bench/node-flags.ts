/**
 * What every start command gives to Node, as V8 cannot be told it later: it collects garbage on the thread that serves. Its
 * helpers would take that thread's core from it where there is no other, for up to ten milliseconds at a time.
 */
export const NODE_FLAGS = ['--single-threaded-gc'];
