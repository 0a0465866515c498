// Package events is Greenlight's road from the webhook to the assigner: the
// JetStream streams, their subjects, and what goes over them. It imports
// nothing of ours, and does not know what an event means.
//
// # What it promises
//
//   - [Publisher.Publish] returns nil only after JetStream acknowledged the
//     event: the message is in the stream, or a copy of it was before.
//   - The body travels byte for byte, beside the headers that prove who sent it,
//     so that anybody can verify it again later.
//   - A delivery is open until somebody says what became of it: [Delivery.Done],
//     [Delivery.Retry] or [Delivery.DeadLetter]. While it is open the server is
//     told every few seconds, and when the process dies the server delivers it
//     again. Nothing is acknowledged by silence.
//   - One consumer works, others stand by: JetStream pins the consumer to one
//     process and gives it to another when the first goes silent.
//   - The broker keeps the time. Periodic and delayed triggers are schedules in
//     the stream, so that a restart forgets nothing.
//
// NATS server 2.15 or newer is needed ([MinServerVersion]): repeated schedules
// came with 2.14, and 2.15 has fixes without which an acknowledged message can
// be lost to a power failure (github.com/nats-io/nats-server issues 8456, 8475).
package events
