/**
 * The longest time that `setTimeout()` waits, in milliseconds (24.8 days): it takes a signed 32-bit integer, and a timer for
 * a longer time fires at once.
 */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
