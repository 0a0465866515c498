// Package notice notifies people without being asked: a campaign is completed or partly
// completed, a campaign needs a person, numbers are stuck.
//
// A notice is a message on greenlight.notice.<kind>, kept for a month in the stream
// NOTICES, so that later readers find it. [Publisher] stores one. Its key makes sure that
// it is stored once, even if two assigners publish it or one does so again after a crash.
// [Sender] takes notices from the stream and sends them to a receiver. The stream
// decouples the two: a slow receiver delays nothing, and what it missed is sent again by
// any process that is running.
//
// The assigner decides when there is something to report.
package notice
