// Package notice notifies people: a campaign is completed or partly completed, needs a
// person, or is stuck.
//
// A notice is a message on greenlight.notice.<kind>, kept for a month in the stream
// NOTICES for late subscribers. [Publisher] stores it once per key, whichever assigner
// publishes it and however often. [Sender] sends notices from the stream to a receiver.
// The stream decouples the two: a slow or broken receiver delays no assigner, and any
// process with a receiver retries what failed. What became of each try is a message on
// greenlight.receipt.<sequence>, which [List] reads.
//
// The assigner decides when to publish a notice.
package notice
