// A bot and a person's device, both played by the npm package @mixin.dev/mixin-node-sdk as it comes.
//
// Standard input: one line of JSON, {"url", "socket", "bot", "person"}, the last two keystores; then
// a line for each "restarted". Standard output: one line for each thing that was seen to work, and
// "restart" where the gateway shall be started again.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { MixinApi, uniqueConversationID } from '@mixin.dev/mixin-node-sdk';
import { sendRaw, websocket } from '@mixin.dev/mixin-node-sdk/blaze';

const PATIENCE = 20_000;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const nextLine = async () => (await lines.next()).value;
const say = (text) => process.stdout.write(`${text}\n`);

const { url, socket, bot, person } = JSON.parse(await nextLine());
const client = (keystore) => MixinApi({ keystore, requestConfig: { baseURL: url, timeout: 10_000 } });
const [theBot, thePerson] = [client(bot), client(person)];

/** What a socket of the SDK brings, kept until somebody asks for it. */
class Inbox {
  constructor(keystore, option = {}) {
    this.keystore = keystore;
    this.option = { parse: false, syncAck: false, ...option };
    this.messages = [];
    this.conversations = [];
    this.receipts = [];
  }

  async open() {
    const handler = {
      onMessage: (message) => this.messages.push(message),
      onConversation: (message) => this.conversations.push(message),
      onAckReceipt: (message) => this.receipts.push(message),
    };
    this.ws = websocket(this.keystore, socket, handler, this.option);
    await once(this.ws, 'open');
    assert.equal(this.ws.protocol, 'Mixin-Blaze-1');
    const asked = await sendRaw(this.ws, { id: crypto.randomUUID(), action: 'LIST_PENDING_MESSAGES' });
    assert.equal(asked, true);
  }

  async acknowledge(message) {
    const params = { message_id: message.message_id, status: 'READ' };
    await sendRaw(this.ws, { id: crypto.randomUUID(), action: 'ACKNOWLEDGE_MESSAGE_RECEIPT', params });
  }
}

/** Waits until `find` returns something. */
async function until(what, find) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await find();
    if (found) return found;
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await sleep(20);
  }
}

const textOf = (message) => Buffer.from(message.data, 'base64').toString();
const withText = (inbox, text) =>
  until(`"${text}"`, () => inbox.messages.find((message) => textOf(message) === text));

async function refused(what, code, promise) {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.code, code, `${what}: ${error}`);
    assert.equal(error.constructor.name, 'ResponseError', `${what}: ${error}`);
    return say(`${what}: typed error ${code}`);
  }
  assert.fail(`${what} was not refused`);
}

async function profiles() {
  const me = await theBot.user.profile();
  assert.equal(me.user_id, bot.app_id);
  const other = await theBot.user.fetch(person.app_id);
  assert.equal(other.user_id, person.app_id);
  const list = await theBot.user.fetchList([person.app_id, bot.app_id]);
  assert.equal(list.length, 2);
  const found = await theBot.user.search(other.identity_number);
  assert.equal(found.user_id, person.app_id);
  say('profiles');
}

async function contact() {
  const made = await theBot.conversation.createContact(person.app_id);
  assert.equal(made.conversation_id, uniqueConversationID(bot.app_id, person.app_id));
  assert.equal(made.category, 'CONTACT');
  const read = await thePerson.conversation.fetch(made.conversation_id);
  assert.equal(read.participants.length, 2);
  say('contact conversation');
  return made.conversation_id;
}

async function pendingThenLive() {
  await theBot.message.sendText(person.app_id, 'waiting');
  const [device, sender] = [new Inbox(person), new Inbox(bot)];
  await sender.open();
  await device.open();
  const waiting = await withText(device, 'waiting');
  assert.equal(waiting.category, 'PLAIN_TEXT');
  assert.equal(waiting.user_id, bot.app_id);
  await theBot.message.sendText(person.app_id, 'live');
  const live = await withText(device, 'live');
  say('pending, then live');
  await device.acknowledge(waiting);
  await device.acknowledge(live);
  await until('receipts', () => sender.receipts.length >= 2);
  const acknowledged = sender.receipts.map((receipt) => receipt.message_id);
  assert.ok(acknowledged.includes(waiting.message_id) && acknowledged.includes(live.message_id));
  say('receipts');
  return { device, sender };
}

async function batch(device, conversation) {
  const texts = ['one', 'two', 'three'];
  const items = texts.map((text) => ({
    category: 'PLAIN_TEXT',
    conversation_id: conversation,
    recipient_id: person.app_id,
    message_id: crypto.randomUUID(),
    data_base64: Buffer.from(text).toString('base64url'),
  }));
  await theBot.message.sendBatch(items);
  for (const text of texts) await device.acknowledge(await withText(device, text));
  const order = device.messages.map(textOf).filter((text) => texts.includes(text));
  assert.deepEqual(order, texts);
  say('a batch, in order');
}

async function staleChecksum(conversation) {
  const stale = {
    category: 'PLAIN_TEXT',
    conversation_id: conversation,
    recipient_id: person.app_id,
    message_id: crypto.randomUUID(),
    data_base64: Buffer.from('stale').toString('base64url'),
    checksum: '0123456789abcdef0123456789abcdef',
  };
  await refused('a stale checksum', 20140, theBot.message.sendOne(stale));
  await refused('somebody unknown', 404, theBot.user.fetch(crypto.randomUUID()));
}

async function group(device) {
  const id = crypto.randomUUID();
  const made = await theBot.conversation.createGroup(id, 'Team', [{ user_id: person.app_id }]);
  assert.equal(made.category, 'GROUP');
  assert.equal(made.participants.length, 2);
  const created = await until('the system message', () =>
    device.conversations.find((message) => message.conversation_id === id));
  assert.equal(JSON.parse(textOf(created)).action, 'CREATE');
  await device.acknowledge(created);
  await theBot.conversation.setAdmin(id, [person.app_id]);
  await theBot.conversation.updateGroupInfo(id, { name: 'Another team', announcement: 'hello' });
  await thePerson.conversation.mute(id, 3600);
  await thePerson.conversation.unmute(id);
  await theBot.conversation.disappearDuration(id, 3600);
  const rotated = await theBot.conversation.resetGroupCode(id);
  assert.notEqual(rotated.code_id, made.code_id);
  await thePerson.conversation.exitGroup(id);
  const joined = await thePerson.conversation.joinGroup(rotated.code_id);
  assert.equal(joined.conversation_id, id);
  await theBot.message.sendOne({
    category: 'PLAIN_TEXT',
    conversation_id: id,
    message_id: crypto.randomUUID(),
    data_base64: Buffer.from('to the group').toString('base64url'),
  });
  await device.acknowledge(await withText(device, 'to the group'));
  await theBot.conversation.removeParticipants(id, [person.app_id]);
  await refused('an outsider', 403, thePerson.conversation.fetch(id));
  say('a group');
}

async function attachment() {
  const bytes = Buffer.alloc(300_000, 'sealed by the client ');
  const { attachment_id: id, view_url: view } = await theBot.attachment.upload(bytes);
  assert.ok(Buffer.from(await (await fetch(view)).arrayBuffer()).equals(bytes));
  const { view_url: again } = await thePerson.attachment.fetch(id);
  assert.ok(Buffer.from(await (await fetch(again)).arrayBuffer()).equals(bytes));
  say('an attachment');
}

async function restart(device) {
  await theBot.message.sendText(person.app_id, 'before the restart');
  const before = await withText(device, 'before the restart');
  const closed = once(device.ws, 'close');
  say('restart');
  assert.equal(await nextLine(), 'restarted');
  await closed;
  const [again, sender] = [new Inbox(person, { syncAck: true }), new Inbox(bot)];
  await sender.open();
  await again.open();
  const repeated = await withText(again, 'before the restart');
  assert.equal(repeated.message_id, before.message_id);
  assert.deepEqual(again.messages.map(textOf), ['before the restart']);
  await theBot.message.sendText(person.app_id, 'after the restart');
  await withText(again, 'after the restart');
  say('what was not acknowledged comes again after a restart, and nothing else');
  // The SDK acknowledges by itself now (`syncAck`); the sender hears of it.
  await until('receipts', () => sender.receipts.length >= 2);
  again.ws.close();
  await once(again.ws, 'close');
  sender.ws.terminate();
}

async function nothingIsLeft() {
  const look = new Inbox(person);
  await look.open();
  await theBot.message.sendText(person.app_id, 'the end');
  await withText(look, 'the end');
  assert.deepEqual(look.messages.map(textOf), ['the end']);
  look.ws.terminate();
  say('nothing is left');
}

await profiles();
const conversation = await contact();
const { device, sender } = await pendingThenLive();
await batch(device, conversation);
await staleChecksum(conversation);
await group(device);
await attachment();
sender.ws.terminate();
await restart(device);
await nothingIsLeft();
say('done');
process.exit(0);
