// Words for what is counted and when it was.

/** How many devices these are. */
export function devices(sessions) {
  return sessions.length === 1 ? "1 device" : `${sessions.length} devices`;
}

/** A time of day, to the second. */
export function timeOfDay(date) {
  return date.toLocaleTimeString(undefined, { timeStyle: "medium" });
}
