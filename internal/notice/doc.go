// Package notice is what people are told of by themselves: that a campaign is
// completed, that part of it is, that it needs a person, that numbers are stuck.
//
// A notice is a message on greenlight.notice.<kind>, kept for a month in the stream
// NOTICES, so that whoever comes late finds it. [Publisher] stores one; its key makes
// two assigners that tell the same, or one that tells it again after a crash, store it
// once. [Sender] takes notices from the stream to a receiver elsewhere. The stream
// stands between the two: a receiver that is slow or away holds up nothing, and what it
// missed is tried again by whichever process is there.
//
// When there is something to tell is the assigner's to decide.
package notice
