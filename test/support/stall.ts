/**
 * What a machine that is shared may stand still for: added to a bound that a test needs, but that is
 * not what it is about.
 */
export const STALL_MS = 3_000;
