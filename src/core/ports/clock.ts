/** Time comes from outside. Both are milliseconds; `monotonicMs` never jumps and may be fractional. */
export interface Clock {
  wallMs(): number;
  monotonicMs(): number;
}
