// What can go wrong, said so that a person can act on it: the message is a whole sentence.

/** A failure whose message is meant for the person at the page. */
export class Failure extends Error {}

/** The gateway's answer was no. */
export class Refused extends Failure {
  /**
   * @param {number} status the HTTP status
   * @param {string} reason in the gateway's words
   */
  constructor(status, reason) {
    super(sentence(status, reason));
    this.status = status;
  }
}

/** No answer came at all. */
export class Unreachable extends Failure {
  constructor() {
    super("The gateway could not be reached. Check that it runs, and try again.");
  }
}

/** This browser, or this page, cannot do what is needed. */
export class Unsupported extends Failure {}

/** What to tell a person about any error. */
export function explain(error) {
  if (error instanceof Failure) return error.message;
  console.error(error);
  return "Something went wrong in this page. Reload it and try again.";
}

function sentence(status, reason) {
  switch (status) {
    case 401:
      return "The gateway does not know this device any more, or this machine's clock is wrong.";
    case 429:
      return `That is too much at once: ${reason}. Try again in a minute.`;
    case 503:
      return "The gateway is busy. Try again in a moment.";
    default:
  }
  if (status >= 500) return "The gateway made a mistake. Try again later.";
  return `The gateway refused this: ${reason || `status ${status}`}.`;
}
