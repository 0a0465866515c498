package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// importer drafts plans from what Telnyx has. Whether a number can be in a plan is the
// assigner's decision, so that it has nothing to do for the result.
type importer struct {
	client *telnyx.Client
	known  inForce
	// brand restricts the account to the campaigns of one brand.
	brand string
}

// account drafts a plan of every campaign of the account or brand.
func (i importer) account(ctx context.Context) (draft, error) {
	campaigns, err := i.listCampaigns(ctx)
	if err != nil {
		return draft{}, err
	}
	records, err := whole(i.client.Assignments(ctx, 0))
	if err != nil {
		return draft{}, err
	}
	return i.draftOf(ctx, campaigns, records)
}

// whole returns the rows of a list that was read to its end.
func whole[T any](rows telnyx.Rows[T], err error) ([]T, error) {
	if err == nil && !rows.Complete {
		err = fmt.Errorf("a list from Telnyx is incomplete: %s; nothing was written; try again", rows.Why)
	}
	return rows.All, err
}

func (i importer) listCampaigns(ctx context.Context) ([]telnyx.Campaign, error) {
	if i.brand != "" {
		return whole(i.client.Campaigns(ctx, i.brand))
	}
	brands, err := i.client.Brands(ctx)
	if err != nil {
		return nil, err
	}
	campaigns, err := whole(i.client.PartnerCampaigns(ctx))
	if err != nil {
		return nil, err
	}
	for _, brand := range brands {
		own, err := whole(i.client.Campaigns(ctx, brand.BrandID))
		if err != nil {
			return nil, err
		}
		campaigns = append(campaigns, own...)
	}
	return campaigns, nil
}

// campaigns drafts a plan of the campaigns that a person names.
func (i importer) campaigns(ctx context.Context, names []string) (draft, error) {
	var campaigns []telnyx.Campaign
	var records []telnyx.Assignment
	for _, name := range names {
		c, err := i.find(ctx, name)
		if err != nil {
			return draft{}, err
		}
		if slices.ContainsFunc(campaigns, func(other telnyx.Campaign) bool { return other.AssignmentID() == c.AssignmentID() }) {
			continue // by another of its ids
		}
		on, err := i.client.AssignmentsOn(ctx, c)
		if err == nil && !on.Complete {
			on, err = i.client.Assignments(ctx, 0)
		}
		rows, err := whole(on, err)
		if err != nil {
			return draft{}, err
		}
		rows = slices.DeleteFunc(rows, func(r telnyx.Assignment) bool { return !r.On(c) })
		campaigns, records = append(campaigns, c), append(records, rows...)
	}
	return i.draftOf(ctx, campaigns, records)
}

func (i importer) find(ctx context.Context, name string) (telnyx.Campaign, error) {
	c, err := findCampaign(ctx, i.client, i.known, name)
	if telnyx.IsNotFound(err) {
		return c, noCampaign(name)
	}
	return c, err
}

// draftOf drafts a plan of campaigns and the records of the numbers on them.
func (i importer) draftOf(ctx context.Context, campaigns []telnyx.Campaign, records []telnyx.Assignment) (draft, error) {
	d := draft{comment: []string{"Imported from Telnyx: the numbers on each campaign. Comments name what was left out, and why."}}
	campaigns = slices.SortedFunc(slices.Values(campaigns), func(a, b telnyx.Campaign) int { return cmp.Compare(a.AssignmentID(), b.AssignmentID()) })
	on, strays := byCampaign(campaigns, records)
	if i.brand == "" {
		d.comment = append(d.comment, strays...)
	}
	settings, err := i.settings(ctx, slices.Concat(on...))
	if err != nil {
		return d, err
	}
	byNumber := map[string][]telnyx.Assignment{}
	for _, r := range records {
		byNumber[r.PhoneNumber] = append(byNumber[r.PhoneNumber], r)
	}
	for at, c := range campaigns {
		e := newImported(c)
		e.takeAttached(on[at], byNumber)
		e.takeProfiles(settings)
		e.finish(true)
		d.entries = append(d.entries, e)
	}
	distinguish(d.entries)
	slices.SortFunc(d.entries, func(a, b *imported) int { return cmp.Compare(a.Name, b.Name) })
	return d, nil
}

// byCampaign returns the records on each of the campaigns, and lines about those on none.
func byCampaign(campaigns []telnyx.Campaign, records []telnyx.Assignment) (on [][]telnyx.Assignment, strays []string) {
	at := map[string]int{}
	for i, c := range campaigns {
		at[strings.ToLower(string(c.CampaignID))], at[strings.ToLower(string(c.TCRCampaignID))] = i, i
	}
	delete(at, "")
	on = make([][]telnyx.Assignment, len(campaigns))
	elsewhere := map[string]int{}
	for _, r := range records {
		ids := []string{string(r.TelnyxCampaignID), r.CampaignID, string(r.TCRCampaignID)}
		listed := slices.IndexFunc(ids, func(id string) bool { _, ok := at[strings.ToLower(id)]; return ok })
		if listed < 0 {
			elsewhere[cmp.Or(ids...)]++
			continue
		}
		i := at[strings.ToLower(ids[listed])]
		on[i] = append(on[i], r)
	}
	for _, id := range slices.Sorted(maps.Keys(elsewhere)) {
		where := "campaign " + oneLine(id) + ", which Telnyx does not list for this account"
		if id == "" {
			where = "no campaign that it names"
		}
		strays = append(strays, fmt.Sprintf("Left out: %s on %s.", status.Count(elsewhere[id], "record"), where))
	}
	return on, strays
}

// settings reads the settings of the numbers that records name. It has none for numbers
// that are not on the account.
func (i importer) settings(ctx context.Context, records []telnyx.Assignment) (map[string]telnyx.Number, error) {
	numbers := numbersOf(records)
	answer, err := i.client.Numbers(ctx, numbers)
	if err != nil {
		return nil, err
	}
	if unknown := len(numbers) - len(answer.Found) - len(answer.Absent); unknown > 0 {
		return nil, fmt.Errorf("nothing was written: Telnyx's answers about the messaging profiles of %s are not conclusive; try again", status.Count(unknown, "number"))
	}
	return answer.Found, nil
}

// profile drafts a plan of the numbers of a messaging profile for the campaign that a
// person names.
func (i importer) profile(ctx context.Context, profile, name string) (draft, error) {
	d := draft{comment: []string{"Imported from Telnyx: the numbers of a messaging profile. Comments name what was left out, and why."}}
	c, err := i.find(ctx, name)
	if err != nil {
		return d, err
	}
	rows, err := whole(i.client.ProfileNumbers(ctx, profile))
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("messaging profile %s has no numbers", oneLine(profile))
	}
	if err != nil {
		return d, err
	}
	records, err := whole(i.client.Assignments(ctx, 0))
	if err != nil {
		return d, err
	}
	e := newImported(c)
	e.MessagingProfileID = profile
	e.takeProfile(rows, records)
	if len(e.Numbers) == 0 {
		return d, fmt.Errorf("campaign %s cannot have any of the numbers of messaging profile %s: %s", c.AssignmentID(), profile, e.omitted[0])
	}
	e.finish(false)
	d.entries = append(d.entries, e)
	return d, nil
}

// draft is a plan to be written.
type draft struct {
	comment []string // lines
	entries []*imported
}

// text is the plan file. Its error matches [errNothing] if no entry has numbers.
func (d draft) text() ([]byte, error) {
	entries := make([]plan.Entry, len(d.entries))
	nothing := true
	for i, e := range d.entries {
		entries[i] = e.Entry
		nothing = nothing && e.Disabled
	}
	if nothing {
		return nil, d.whyNothing()
	}
	text, err := plan.Write(strings.Join(d.comment, "\n"), entries)
	if err != nil {
		return nil, fmt.Errorf("what Telnyx lists does not make a valid plan; import single campaigns with --campaign: %w", err)
	}
	return text, nil
}

// errNothing is matched by the error of an import that found no numbers to plan.
var errNothing = errors.New("there is nothing to import")

func (d draft) whyNothing() error {
	const most = 5
	if len(d.entries) == 0 {
		return fmt.Errorf("%w: Telnyx lists no campaigns", errNothing)
	}
	var reasons []string
	for _, e := range d.entries[:min(len(d.entries), most)] {
		reasons = append(reasons, e.ID()+": "+strings.TrimRight(e.why, "."))
	}
	if more := len(d.entries) - most; more > 0 {
		reasons = append(reasons, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%w: %s", errNothing, strings.Join(reasons, "; "))
}

// sumUp says what the plan has and what it leaves out.
func (d draft) sumUp() string {
	var campaigns, numbers, disabled, omitted int
	for _, e := range d.entries {
		omitted += len(e.omitted)
		if e.Disabled {
			disabled++
			continue
		}
		campaigns++
		numbers += len(e.Numbers)
	}
	text := status.Count(campaigns, "campaign") + ", " + status.Count(numbers, "number")
	if disabled+omitted > 0 {
		text += fmt.Sprintf("; left out, as comments: %s, %s", status.Count(disabled, "campaign"), status.Count(omitted, "number"))
	}
	return text
}

// imported is an entry in the making.
type imported struct {
	plan.Entry
	on    telnyx.Campaign
	phase ledger.Phase
	// omitted are lines about numbers that the entry leaves out.
	omitted []string
	// why says why the campaign is not approved or not in the plan; empty if neither is so.
	why string
}

// newImported begins the entry of a campaign.
func newImported(c telnyx.Campaign) *imported {
	e := &imported{on: c}
	e.Name, e.NumberComments = nameOf(c), map[plan.E164]string{}
	facts := []string{c.Usecase, string(c.CampaignStatus)}
	if c.Shared {
		e.TCRCampaignID = c.TCRCampaignID
		facts = append(facts, "shared with this account")
	} else {
		e.CampaignID = c.CampaignID
		facts = append(facts, prefixed("TCR id ", string(c.TCRCampaignID)), prefixed("brand ", c.BrandID))
	}
	e.Comment = oneLine(strings.Join(slices.DeleteFunc(facts, func(fact string) bool { return fact == "" }), ", "))
	phase, detail := assigner.PhaseOf(c)
	if e.phase = phase; phase != ledger.PhaseApproved {
		e.why = cmp.Or(phase.Reason().Advice().Why, phase.Sentence()) + prefixed(" Details: ", oneLine(detail))
	}
	return e
}

// oneLine bounds a text from Telnyx for a comment.
func oneLine(text string) string { return status.Plain(text, 160) }

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// nameOf returns a name for the entry of a campaign.
func nameOf(c telnyx.Campaign) string {
	id := cmp.Or(string(c.TCRCampaignID), string(c.CampaignID))
	return cmp.Or(plan.NewName(c.ReferenceID), plan.NewName(strings.ToLower(c.Usecase)+"-"+id), "campaign")
}

// distinguish gives entries of the same name different ones: a campaign that was filed
// again has the reference of the old one. Of these the first that is not disabled keeps it.
func distinguish(entries []*imported) {
	taken := map[string]bool{}
	for _, disabled := range []bool{false, true} {
		for _, e := range entries {
			if e.Disabled != disabled {
				continue
			}
			for base, n := e.Name, 2; taken[e.Name]; n++ {
				e.Name = fmt.Sprintf("%.55s-%d", base, n)
			}
			taken[e.Name] = true
		}
	}
}

// takeAttached takes in the numbers that records have on the campaign. A number may have
// other records as well.
func (e *imported) takeAttached(on []telnyx.Assignment, byNumber map[string][]telnyx.Assignment) {
	want := e.Campaign
	var records []telnyx.Assignment
	seen := map[string]bool{}
	for _, r := range on {
		if seen[r.PhoneNumber] {
			continue
		}
		seen[r.PhoneNumber] = true
		records = append(records, byNumber[r.PhoneNumber]...)
		n, err := plan.ParseE164(r.PhoneNumber)
		if err != nil {
			e.omit(r.PhoneNumber, whyInvalid(err))
			continue
		}
		want.Numbers = append(want.Numbers, n)
	}
	for _, change := range plan.Diff(want, e.on, records) {
		if change.Action == plan.Extra {
			continue // skipped above
		}
		decided := assigner.Decide(e.caseOf(want, change)).Record
		if decided.NeedsPerson || decided.Reason != "" {
			e.omit(string(change.Number), whyOmitted(change, decided))
			continue
		}
		e.keep(change)
	}
}

// omit leaves a number out.
func (e *imported) omit(number, why string) {
	e.omitted = append(e.omitted, oneLine(number+prefixed(": ", why)))
}

// whyInvalid says why no plan may name a number.
func whyInvalid(err error) string {
	if refused, ok := errors.AsType[*plan.NumberError](err); ok {
		return refused.Why
	}
	return err.Error()
}

// takeProfile takes in the numbers of a messaging profile.
func (e *imported) takeProfile(rows []telnyx.Number, records []telnyx.Assignment) {
	want := e.Campaign
	account := map[plan.E164]telnyx.Number{}
	for _, row := range rows {
		n, err := plan.ParseE164(row.PhoneNumber)
		if err != nil {
			e.omit(row.PhoneNumber, whyInvalid(err))
			continue
		}
		want.Numbers, account[n] = append(want.Numbers, n), row
	}
	var others []plan.E164
	for _, change := range plan.Diff(want, e.on, records) {
		if change.Action == plan.Extra {
			others = append(others, change.Number)
			continue
		}
		c := e.caseOf(want, change)
		c.Ownership, c.Account = assigner.Owned, account[change.Number]
		if decided := assigner.Decide(c).Record; decided.NeedsPerson {
			e.omit(string(change.Number), whyOmitted(change, decided))
			continue
		}
		e.keep(change)
	}
	for _, n := range others {
		e.omit(string(n), "on the campaign, but not on the messaging profile")
	}
}

// caseOf is what the assigner goes by for a number that it never tried, once the campaign
// is approved.
func (e *imported) caseOf(want plan.Campaign, change plan.Change) assigner.Case {
	now := time.Now()
	return assigner.Case{
		Entry: want, Campaign: e.on, Phase: ledger.PhaseApproved, PendingDeadline: assigner.DefaultPendingDeadline,
		Change: change, Record: ledger.Number{Since: now}, Now: now,
	}
}

// keep plans a number. What Telnyx says of it is a note unless it is the usual.
func (e *imported) keep(change plan.Change) {
	e.Numbers = append(e.Numbers, change.Number)
	if r := change.Record; r != nil && r.AssignmentStatus != telnyx.Assigned {
		e.note(change.Number, cmp.Or(string(r.AssignmentStatus), "no assignment status"))
	}
}

func (e *imported) note(n plan.E164, text string) {
	e.NumberComments[n] = oneLine(strings.TrimPrefix(e.NumberComments[n]+"; "+text, "; "))
}

// whyOmitted says what Telnyx has of a number, and what the assigner makes of it.
func whyOmitted(change plan.Change, decided ledger.Number) string {
	why := cmp.Or(decided.Detail, decided.Reason.Advice().Why)
	if change.Record == nil {
		return why
	}
	if change.Action == plan.Attach {
		why = change.Record.FailureText()
	}
	return string(change.Record.AssignmentStatus) + prefixed(": ", why)
}

// takeProfiles takes in the messaging profiles of the numbers that are planned.
func (e *imported) takeProfiles(settings map[string]telnyx.Number) {
	counts := map[string]int{}
	for _, n := range e.Numbers {
		counts[settings[string(n)].MessagingProfileID]++
	}
	profiles := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	if len(profiles) == 1 {
		e.MessagingProfileID = profiles[0]
	}
	for _, n := range e.Numbers {
		switch found, owned := settings[string(n)]; {
		case !owned:
			e.note(n, "not on the account")
		case found.MessagingProfileID == "":
			e.note(n, "no messaging profile")
		case found.MessagingProfileID != profiles[0]:
			e.note(n, "messaging profile "+found.MessagingProfileID)
		}
	}
}

// finish completes the entry. Unless a person asked for it, it is disabled if it has no
// numbers or its campaign needs a person.
func (e *imported) finish(unasked bool) {
	e.MaxNumbers = max(plan.DefaultMaxNumbers, len(e.Numbers))
	slices.Sort(e.omitted)
	e.Omitted = strings.Join(e.omitted, "\n")
	if len(e.Numbers) == 0 {
		e.why = strings.TrimSpace("No number is attached to it. " + e.why)
	}
	e.Disabled = unasked && (len(e.Numbers) == 0 || e.phase.NeedsPerson())
	switch {
	case e.Disabled:
		e.Comment += "\nLeft out: " + e.why
	case e.why != "":
		e.Comment += "\n" + e.why
	}
}
