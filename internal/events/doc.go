// Package events carries events from the webhook to the assigner: the JetStream
// streams, their subjects, and the messages in them. It imports nothing of ours, and
// does not know what an event means.
//
// # What it promises
//
//   - [Publisher.Publish] returns nil only after JetStream has acknowledged the event:
//     the message is in the stream, or a copy of it was there before.
//   - The body is carried byte for byte, with the headers that prove who sent it, so
//     that it can be verified again later.
//   - A delivery stays open until it is settled with [Delivery.Done], [Delivery.Retry]
//     or [Delivery.DeadLetter]. Meanwhile the server gets a heartbeat every few seconds;
//     if the process dies, the server delivers the message again. Nothing is
//     acknowledged by silence.
//   - One consumer is active, others stand by: JetStream pins the consumer to one
//     process, and to another one when the first goes silent.
//   - The broker keeps the time. Periodic and delayed triggers are schedules in the
//     stream, so they survive restarts.
//
// NATS server 2.15 or newer is needed ([MinServerVersion]): 2.14 introduced repeated
// schedules, and 2.15 has fixes without which an acknowledged message can be lost in a
// power failure (github.com/nats-io/nats-server issues 8456, 8475).
package events
