// Words for what is counted and when it was.

/** How many devices these are. */
export function devices(sessions) {
  return sessions.length === 1 ? "1 device" : `${sessions.length} devices`;
}

/** A time of day, to the second. */
export function timeOfDay(date) {
  return date.toLocaleTimeString(undefined, { timeStyle: "medium" });
}

const DECEIVING = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/**
 * A name that somebody else chose, fit to be shown: with characters that break lines, or turn the
 * direction of what follows, it could look like another.
 */
export function shown(name) {
  return name.replace(DECEIVING, "\uFFFD");
}
