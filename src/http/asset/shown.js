// Times, sizes and the names of others, as people are shown them.

/** A time of the gateway's, as people write it here, to the minute or finer; empty for none. */
export function when(time, timeStyle = "short") {
  const date = new Date(time ?? NaN);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle });
}

/** A size in bytes, as people write it. */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = bytes < 1 ? 0 : Math.min(4, Math.floor(Math.log10(bytes) / 3));
  const format = { style: "unit", unit: units[power], maximumFractionDigits: 1 };
  return new Intl.NumberFormat(undefined, format).format(bytes / 1000 ** power);
}

const DECEIVING = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/**
 * A name that somebody else chose, fit to be shown: with characters that break lines, or turn the
 * direction of what follows, it could look like another.
 */
export function shown(name) {
  return name.replace(DECEIVING, "\uFFFD");
}
