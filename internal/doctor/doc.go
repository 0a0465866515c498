// Package doctor checks an installation: how events are stored, and so what a 200
// means; free space, speed, clocks and permissions; the API key, the public keys and
// the plans. Each finding has a level, a message, and how to fix it.
//
// It prints nothing and changes nothing that Greenlight uses. Permissions are tested
// with requests that the server must refuse ([events.Rights]). Speed is measured in a
// temporary stream ([probeStream]), because the assigner would get messages from EVENTS.
//
// What cannot be checked is [Unknown], never [OK]. The functions that set a level do no
// I/O, so that their thresholds can be tested.
package doctor
