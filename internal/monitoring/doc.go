// Package monitoring is what a process shows Prometheus of things that are not its
// own work: what it was built from, how full the streams are, what the ledger holds,
// and whether it is ready. The parts of the program count their own work.
//
// What cannot be found out has no metric in that scrape, rather than a wrong one, and
// nothing that is asked for when somebody scrapes depends on how many numbers or
// events there are. No label is an id or a phone number.
package monitoring
