// Package doctor looks at a place where Greenlight runs, or will, and tells what a
// 200 means there: how an event is kept, whether there is room, how fast it is
// stored, whether clocks agree, what NATS and Telnyx allow, and whether keys and
// plans are good. Each finding is a sentence with a level and how to mend it.
//
// It prints nothing and changes nothing that Greenlight works with. Rights are found
// out by requests that the server must refuse ([events.Rights]). Speed is measured in
// a stream of its own ([ProbeStream]), which is deleted again: EVENTS would hand the
// messages to the assigner and keep them for a week.
//
// What cannot be looked at is [Unknown], never [OK]. Functions that judge take what
// was found and ask nobody, so that their thresholds can be tested.
package doctor
