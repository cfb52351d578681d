// Logging in.

import { element } from "./dom.js";
import { Refused, logIn } from "./gateway.js";

/** `done` is called when somebody is in. */
export function prepare(done) {
  const [form, field, failure] = ["form", "password", "failure"].map((it) => element(`login-${it}`));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failure.textContent = "";
    try {
      await logIn(field.value);
    } catch (error) {
      failure.textContent = explain(error);
      field.select();
      return;
    }
    form.reset();
    await done();
  });
}

function explain(error) {
  if (!(error instanceof Refused)) throw error;
  return error.status === 401 ? "This password is wrong." : error.message;
}
