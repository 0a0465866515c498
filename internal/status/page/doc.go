// Package page is the status page on the private listener: campaigns with their
// progress, a campaign's numbers with explanations, the timeline of a number, dead
// letters, faults of plan files, and health.
//
// It only reads. The data comes from a [status.View] in memory, so a page makes no
// requests to NATS for single numbers. Large campaigns are shown in pages.
//
// Each page consists of blocks and rows, which are elements with ids. The server renders
// them with the same templates for the whole page and for updates. Updates are
// server-sent events with the changed elements, at most a few times a second. Without
// JavaScript the page is complete but static.
//
// Text from Telnyx and from plan files is escaped by html/template. In addition, the
// Content-Security-Policy allows only the page's own script, style and icon.
package page
