// Package events carries messages from the webhook to the assigner: the JetStream
// streams, their subjects, and how messages are published, delivered and read. Of
// our packages it imports only telnyx, and it does not know what an event means.
//
// # What it promises
//
//   - [Publisher.Publish] returns nil only after JetStream acknowledged the
//     event: the message is in the stream, or a copy of it was before.
//   - The body is stored byte for byte, with the headers that prove its sender, so that
//     it can be verified again later.
//   - A delivery is open until [Delivery.Done], [Delivery.Retry] or
//     [Delivery.DeadLetter] settles it. While it is open the server gets a heartbeat
//     every few seconds; when the process dies the server delivers it again. Silence
//     acknowledges nothing.
//   - One process works, the others are on standby: JetStream pins the consumer to one
//     process, and to another when the first falls silent.
//   - The server keeps the schedule. Periodic and delayed triggers are schedules in the
//     stream, so that a restart loses none.
//
// NATS server 2.15 or newer is needed ([MinServerVersion]): repeated schedules
// came with 2.14, and 2.15 has fixes without which an acknowledged message can
// be lost to a power failure (github.com/nats-io/nats-server issues 8456, 8475).
package events
