// What can go wrong, said so that a person can act on it: the message is a whole sentence.

/** A failure whose message is meant for the person at the page. */
export class Failure extends Error {}

/** The gateway's answer was no. */
export class Refused extends Failure {
  /**
   * @param {number} status the HTTP status
   * @param {object} problem the problem document (RFC 9457), or an empty object
   * @param {string|null} retryAfter the header of that name
   */
  constructor(status, problem, retryAfter) {
    super(sentence(status, problem, retryAfter));
    this.status = status;
    this.problem = problem;
  }
}

/** No answer came at all. */
export class Unreachable extends Failure {
  constructor() {
    super("The gateway could not be reached. Check the connection and try again.");
  }
}

/** What came is not what its maker sealed, or was not sealed with this key. */
export class Untrue extends Failure {}

/** This browser, or this page, cannot do what is needed. */
export class Unsupported extends Failure {}

/** What to tell a person about any error. */
export function explain(error) {
  if (error instanceof Failure) return error.message;
  console.error(error);
  return "Something went wrong in this page. Reload it and try again.";
}

function sentence(status, problem, retryAfter) {
  switch (status) {
    case 404:
      return "There is no such box.";
    case 413:
      return tooLarge(problem);
    case 429:
      return `Too many tries. Try again in ${wait(retryAfter ?? problem.retry_after)}.`;
    case 503:
      return `The gateway is busy. Try again in ${wait(retryAfter ?? problem.retry_after)}.`;
    default:
  }
  if (status >= 500) return "The gateway made a mistake. Try again later.";
  const detail = typeof problem.detail === "string" ? problem.detail : `status ${status}`;
  return `The gateway refused this: ${detail}.`;
}

function tooLarge(problem) {
  if (problem.code === "box_full") return "This box is full. Its owner has to make room in it.";
  if (problem.code === "gateway_full") return "This gateway has no room left. Try again later.";
  if (problem.field === "name") return "The name of this file is too long. Rename it and try again.";
  if (!Number.isFinite(problem.limit)) return "This is too large, or the box is full.";
  return `This is too large: the gateway takes at most ${problem.limit} bytes, sealed.`;
}

/** Seconds in words; a minute if the gateway did not say. */
function wait(seconds) {
  const number = Number.parseInt(seconds, 10);
  if (!(number > 0)) return "a minute";
  if (number === 1) return "1 second";
  if (number < 120) return `${number} seconds`;
  return `${Math.ceil(number / 60)} minutes`;
}
