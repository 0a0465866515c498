// Package settings is what every command can be told, as flags with the
// environment as default: the same names and meanings everywhere. It turns texts
// into what the parts of the program need and says of every setting that is
// missing or malformed what is wrong and how to get it, all at once.
//
// Values are texts until they are read here, because a command-line parser that
// stops at the first bad number would hide the second.
package app
