// Package watch keeps a plan in force while people change its files. A [Watcher]
// loads a plan file or folder once, then again whenever the files change, and
// holds the last set that was good.
//
// It does not know what a plan says: package plan decides what is good, and the
// caller what follows from a change, see [Changed].
//
// # When files are read
//
// The files are read when they have been quiet for [Options.Settle] after the last
// event, when the slow poll of [Options.Poll] finds them different, and on
// [Watcher.Reload]. While they are at fault, every poll reads them, because the
// cause may lie where nobody looks: a permission, a file that does not exist yet.
//
// The events of fsnotify say only that something happened, never what. A look
// takes a survey of every file that counts (size, time, mode, identity), reads
// them, and takes the survey again: if a file moved meanwhile, what was read may be
// a mix and is thrown away. Files that are still moving after a whole
// [Options.Poll] become a fault of their own, so that waiting is never silent.
// A writer that pauses inside a file for longer than [Options.Settle] cannot be told
// from one that is done; such a writer has to write beside the file and rename.
//
// # What counts
//
// Of a folder, every file in and under it except what editors leave behind and
// names that begin with a dot, which package plan passes over too. Of a single
// file, the file. In both cases also every file that the set in force says it was
// read from ([plan.Set.Files]), wherever that is.
//
// Only folders are watched, since a save that renames over a file would leave a
// watch on the file that is gone. Watched are the folders of the tree, and every
// folder in which a link of the way to a file lies: Kubernetes changes a ConfigMap
// by renaming over the link ..data, and releases are often switched by a link above
// the plan folder. For something missing it is the nearest folder that exists, so
// that a plan folder may vanish and return. A folder further up that is moved is found
// by the poll.
//
// # Invariants
//
//   - There is always a set in force. Readers get the old or the new one, whole.
//   - What is at fault changes nothing in force; it shows in [Watcher.Err].
//   - A set with the same hash calls nobody.
//   - All callbacks come from the goroutine of [Watcher.Run], in order, and none
//     after it returned.
//   - Losing file events is not fatal: the poll goes on, and each look tries to
//     have them again.
package watch
