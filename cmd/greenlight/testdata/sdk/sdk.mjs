// Telnyx's own SDK against "greenlight simulator": make sdk runs it. It fails on the
// first difference between what the SDK promises and what it gets.
//
//   node sdk.mjs <greenlight> <plan>

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { once } from 'node:events';
import Telnyx from 'telnyx';

const [greenlight, plan] = process.argv.slice(2);
const own = '751c6a5c-907b-43a9-8ada-ba1dc8335b07';
const other = '851c6a5c-907b-43a9-8ada-ba1dc8335b07';
const profile = '4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10';
const number = '+15551234567';
const third = '+15551234569';

// What the webhook got and did not hand on yet, the oldest first; the first delivery
// is refused, so that it comes again.
const inbox = [];
let refused = 0;
const hook = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    inbox.push({ headers: request.headers, body: Buffer.concat(parts).toString('utf8') });
    response.writeHead(refused++ === 0 ? 503 : 200).end();
  });
});
hook.listen(0, '127.0.0.1');
await once(hook, 'listening');

const simulator = spawn(greenlight, [
  'simulator', '--addr', '127.0.0.1:0', '--from', plan, '--manual', '--quiet',
  '--assign', '100ms', '--mapping', '100ms', '--retry', '200ms',
  '--webhook-url', `http://127.0.0.1:${hook.address().port}/`,
], { stdio: ['ignore', 'pipe', 'inherit'] });
process.on('exit', () => simulator.kill());
setTimeout(() => { console.error('not done within two minutes'); process.exit(1); }, 120_000).unref();

let said = '';
simulator.stdout.on('data', (part) => { said += part; });
const until = async (what, check) => {
  for (;;) {
    const found = await check();
    if (found) return found;
    if (simulator.exitCode !== null) throw new Error(`the simulator ended while waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
await until('its start', () => said.includes('Ctrl-C'));
const env = Object.fromEntries([...said.matchAll(/export (\w+)=(\S+)/g)].map((found) => [found[1], found[2]]));
const client = new Telnyx({
  apiKey: env.TELNYX_API_KEY, baseURL: env.TELNYX_BASE_URL, publicKey: env.TELNYX_PUBLIC_KEY, maxRetries: 0,
});
const assignments = client.messaging10dlc.phoneNumberCampaigns;
const all = async (list) => { const rows = []; for await (const row of list) rows.push(row); return rows; };
const step = async (name) => {
  const answer = await fetch(env.TELNYX_BASE_URL.replace('/v2', `/simulator/campaigns/${name}`), { method: 'POST' });
  assert.equal(answer.status, 200, `${name}: ${answer.status}`);
};
const delivery = async (type) => {
  const at = await until(type, async () => inbox.findIndex(({ body }) => JSON.parse(body).data.payload.type === type) + 1);
  return inbox.splice(at - 1, 1)[0];
};
const check = async (name, work) => { await work(); console.log(`ok  ${name}`); };

await check('campaign: read, before and after approval', async () => {
  const before = await client.messaging10dlc.campaign.retrieve(own);
  assert.equal(before.campaignId, own);
  assert.equal(before.campaignStatus, 'TCR_PENDING');
  assert.equal(before.status, 'ACTIVE');
  for (const name of ['own', 'other']) await step(`${name}/approve`);
  assert.equal((await client.messaging10dlc.campaign.retrieve(own)).campaignStatus, 'MNO_PROVISIONED');
});

await check('campaign: one that is not there', async () => {
  await assert.rejects(client.messaging10dlc.campaign.retrieve('no-such-campaign'), Telnyx.NotFoundError);
});

await check('campaigns and brands: lists', async () => {
  const [brand] = await all(client.messaging10dlc.brand.list());
  const campaigns = await all(client.messaging10dlc.campaign.list({ brandId: brand.brandId }));
  assert.deepEqual([...new Set(campaigns.map((c) => c.campaignId))].sort(), [own, other]);
  await assert.rejects(client.messaging10dlc.campaign.list({ brandId: '' }), Telnyx.UnprocessableEntityError);
});

await check('campaign: what the carriers say of it', async () => {
  const status = await client.messaging10dlc.campaign.getOperationStatus(own);
  assert.ok(Object.values(status).length > 0 && Object.values(status).every((word) => word === 'APPROVED'));
});

await check('campaign: who the carriers are, and their terms', async () => {
  const terms = await client.messaging10dlc.campaign.getMnoMetadata(own);
  assert.deepEqual(Object.values(terms).map((one) => one.mno).sort(), ['AT&T', 'T-Mobile']);
});

await check('campaign: set the webhook, and renewal as it was read', async () => {
  const before = await client.messaging10dlc.campaign.retrieve(other);
  const webhookURL = `${before.webhookURL}new`;
  const { autoRenewal } = before;
  const changed = await client.messaging10dlc.campaign.update(other, { autoRenewal, webhookURL });
  assert.equal(changed.webhookURL, webhookURL);
  const after = await client.messaging10dlc.campaign.retrieve(other);
  assert.deepEqual({ ...after, updateDate: 0 }, { ...before, webhookURL, updateDate: 0 });
});

await check('shared campaign: read, and set the webhook', async () => {
  const [listed] = await all(client.messaging10dlc.partnerCampaigns.list());
  assert.equal(listed.tcrCampaignId, 'CSHARED');
  const webhookURL = 'https://hooks.example.com/webhooks/telnyx';
  const changed = await client.messaging10dlc.partnerCampaigns.update('CSHARED', { webhookURL });
  assert.equal(changed.webhookURL, webhookURL);
  assert.equal((await client.messaging10dlc.partnerCampaigns.retrieve('CSHARED')).webhookURL, webhookURL);
});

await check('notification: its signature, and a retry after a refusal', async () => {
  const first = await delivery('VERIFIED');
  const { data, meta } = await client.webhooks.unwrap(first.body, { headers: first.headers });
  assert.equal(data.event_type, '10dlc.campaign.update');
  assert.equal(meta.attempt, 1);
  const again = await until('the second attempt', async () => inbox.find(({ body }) => JSON.parse(body).data.id === data.id));
  assert.equal((await client.webhooks.unwrap(again.body, { headers: again.headers })).meta.attempt, 2);
  await assert.rejects(client.webhooks.unwrap(first.body.replace(data.id, 'forged'), { headers: first.headers }));
});

await check('numbers: messaging settings, list and one', async () => {
  const rows = await all(client.phoneNumbers.messaging.list());
  assert.deepEqual(rows.map((row) => row.phone_number).sort(), ['+12125550142', '+12125550143', number, '+15551234568', third]);
  const row = rows.find((one) => one.phone_number === number);
  assert.equal(row.type, 'longcode');
  const one = (await client.phoneNumbers.messaging.retrieve(row.id)).data;
  assert.equal(one.phone_number, number);
  assert.equal(one.messaging_profile_id, null);
});

await check('numbers: set the messaging profile', async () => {
  for (const phone of [number, third]) {
    const [row] = await all(client.phoneNumbers.messaging.list({ 'filter[phone_number]': phone }));
    const changed = (await client.phoneNumbers.messaging.update(row.id, { messaging_profile_id: profile })).data;
    assert.equal(changed.messaging_profile_id, profile);
  }
  const onIt = await all(client.messagingProfiles.listPhoneNumbers(profile));
  assert.equal(onIt.length, 3);
});

await check('assignment: create, get, list', async () => {
  const made = await assignments.create({ phoneNumber: number, campaignId: own });
  assert.equal(made.phoneNumber, number);
  assert.equal(made.campaignId, own);
  assert.equal(made.assignmentStatus, 'PENDING_ASSIGNMENT');
  const one = await until('ASSIGNED', async () => {
    const now = await assignments.retrieve(number);
    return now.assignmentStatus === 'ASSIGNED' && now;
  });
  assert.equal(one.telnyxCampaignId, own);
  const rows = await all(assignments.list({ 'filter[telnyx_campaign_id]': own, sort: 'phoneNumber' }));
  assert.deepEqual([...new Set(rows.map((row) => row.phoneNumber))], [number]);
  await delivery('ASSIGNMENT');
});

await check('assignment: update moves, delete ends', async () => {
  const moved = await assignments.update(number, { campaignId: other, phoneNumber: number });
  assert.equal(moved.campaignId, other);
  await until('ASSIGNED', async () => (await assignments.retrieve(number)).assignmentStatus === 'ASSIGNED');
  const gone = await assignments.delete(number);
  assert.equal(gone.phoneNumber, number);
  await until('its end', () => assignments.retrieve(number).then(() => false, (error) => {
    assert.ok(error instanceof Telnyx.NotFoundError, String(error));
    return true;
  }));
  await delivery('DELETION');
});

await check('assignment: refusals', async () => {
  await assert.rejects(assignments.create({ phoneNumber: '555', campaignId: own }), Telnyx.BadRequestError);
  await assert.rejects(assignments.create({ phoneNumber: number, campaignId: 'no-such-campaign' }), Telnyx.NotFoundError);
  const stranger = new Telnyx({ apiKey: '', baseURL: env.TELNYX_BASE_URL, maxRetries: 0 });
  await assert.rejects(stranger.messaging10dlc.campaign.retrieve(own), Telnyx.AuthenticationError);
});

await check('deliveries: what Telnyx says it posted', async () => {
  const rows = await until('a delivery that is over', async () => {
    const page = await client.webhookDeliveries.list({ 'filter[event_type]': '10dlc.campaign.update' });
    return page.data.find((row) => row.attempts.length === 2) && page.data;
  });
  const one = (await client.webhookDeliveries.retrieve(rows[0].id)).data;
  assert.equal(one.webhook.event_type, '10dlc.campaign.update');
});

simulator.kill();
hook.closeAllConnections();
hook.close();
console.log(`The SDK (telnyx ${process.env.SDK_VERSION}, node ${process.version}) and the simulator agree.`);
