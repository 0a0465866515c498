package preflight

import (
	"fmt"
	"slices"
	"strings"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/words"
)

// entry is one entry of the set, held against Telnyx.
type entry struct {
	// written is the entry as it stands in the plan file; want has the numbers of
	// its pool as well.
	written, want plan.Campaign
	found         answer
	changes       plan.Changes
	report        *Report
}

// find adds a finding about the campaign.
func (e *entry) find(code Code, why, mend string) {
	e.report.Findings = append(e.report.Findings, Finding{
		Code: code, Plan: e.want.Name, CampaignID: e.want.ID(),
		File: e.want.Position.File, Line: e.want.Position.Line, Column: e.want.Position.Column,
		What: fmt.Sprintf("campaign %s (%s)", e.want.Name, e.want.ID()), Why: why, Mend: mend,
	})
}

// findNumber adds a finding about a number.
func (e *entry) findNumber(number plan.E164, code Code, why, mend string) {
	at, named := e.written.Where(number)
	if !named {
		at = e.want.Position
	}
	e.report.Findings = append(e.report.Findings, Finding{
		Code: code, Plan: e.want.Name, CampaignID: e.want.ID(), Number: number,
		File: at.File, Line: at.Line, Column: at.Column,
		What: "number " + string(number), Why: why, Mend: mend,
	})
}

func (e *entry) note(number plan.E164, code NoteCode, subject string) {
	e.report.Notes = append(e.report.Notes, Note{
		Code: code, Plan: e.want.Name, CampaignID: e.want.ID(), Number: number, Subject: subject,
	})
}

// checkCampaign finds what is wrong with the campaign itself.
func (e *entry) checkCampaign(twins map[string]plan.Campaign) {
	e.report.Campaigns = append(e.report.Campaigns, e.row())
	if e.want.NumberPool != "" && len(e.want.Numbers) == 0 {
		e.find(EmptyPool, "No US long code is on messaging profile "+e.want.NumberPool+", the plan's number_pool, that no other entry names.",
			"Check the profile's id, or put numbers on it.")
	}
	if e.found.missing() {
		e.findMissing()
		return
	}
	e.checkState()
	e.checkRoom()
	if strings.TrimSpace(e.found.campaign.WebhookURL) == "" {
		e.find(NoWebhookURL, "Its webhookURL is not set, so Telnyx tells nobody when carriers approve it; Greenlight would notice only at its next resync.",
			"Set the campaign's webhookURL to https://<your host>/webhooks/telnyx.")
	}
	if twin, twice := twins[e.want.ID()]; twice {
		e.find(PlannedTwice, fmt.Sprintf("It is the campaign of plan %s as well (%s, %s), under another of its ids, and only that entry is followed.", twin.Name, twin.ID(), twin.Position),
			"Put all its numbers into one entry.")
	}
}

// row is the entry's row in the table of campaigns.
func (e *entry) row() Campaign {
	c := e.found.campaign
	row := Campaign{
		Plan: e.want.Name, ID: e.want.ID(), CampaignID: c.CampaignID, TCRCampaignID: c.TCRCampaignID, Shared: c.Shared,
		Phase: ledger.Missing, Status: c.CampaignStatus, WebhookURL: c.WebhookURL,
		Planned: len(e.want.Numbers), MaxNumbers: e.want.MaxNumbers,
	}
	if !e.found.missing() {
		row.Phase, _ = assigner.PhaseOf(c)
	}
	for _, change := range e.changes {
		if change.Action == plan.Extra {
			row.Others++
		}
	}
	return row
}

func (e *entry) findMissing() {
	why, mend := "Telnyx does not know this campaign on this account.", "Check the id in the plan, and that the API key is the right account's."
	if e.want.ReferenceID != "" {
		why = fmt.Sprintf("No campaign of brand %s is filed with referenceId %s.", e.want.BrandID, e.want.ReferenceID)
		mend = "File it with this referenceId, or correct reference_id and brand_id."
	}
	if answer, ok := asAPIError(e.found.refused); ok && len(answer.Errors) > 0 && !telnyx.IsNotFound(e.found.refused) {
		why += fmt.Sprintf(" It answers: %s.", answer.Errors[0])
	}
	e.find(CampaignMissing, why, mend)
}

// checkState finds a campaign that is not on its way to be ready.
func (e *entry) checkState() {
	c := e.found.campaign
	phase, why := assigner.PhaseOf(c)
	suspended := c.IsTMobileSuspended || c.CampaignStatus == telnyx.CampaignTCRSuspended
	switch phase {
	case ledger.Ended:
		e.find(CampaignExpired, "It has expired.", "If it was filed anew it has a new id: put that into the plan.")
	case ledger.Blocked:
		e.find(CampaignRejected, withWords(fmt.Sprintf("It was rejected (%s)", c.CampaignStatus), why),
			"Read the reason in Telnyx's portal, and appeal or resubmit; numbers are attached when it is approved.")
	case ledger.OnHold:
		if !suspended && !c.Mock {
			e.find(CampaignUnclear, withWords("It is in no state in which numbers are attached", why), "Look at the campaign in Telnyx's portal.")
		}
	}
	if suspended {
		who := "The Campaign Registry"
		if c.IsTMobileSuspended {
			who = "T-Mobile"
		}
		e.find(CampaignSuspended, who+" has suspended it.", "Look at the campaign in Telnyx's portal; nothing is attached until that clears.")
	}
	if c.Mock {
		e.find(CampaignMock, "It is a mock campaign, which carries no numbers.", "Put the id of the real campaign into the plan.")
	}
}

// withWords makes a sentence of a clause and what was told besides, if anything.
func withWords(clause, words string) string {
	if words = strings.TrimRight(words, ". "); words == "" {
		return clause + "."
	}
	return clause + ": " + words + "."
}

func (e *entry) checkRoom() {
	row := e.report.Campaigns[len(e.report.Campaigns)-1]
	if total := row.Planned + row.Others; total > row.MaxNumbers {
		why := fmt.Sprintf("The plan has %s and %s on the campaign besides: that makes %d, and max_numbers allows %d.",
			words.Count(row.Planned, "number"), verb(row.Others, "other number"), total, row.MaxNumbers)
		e.find(CampaignFull, why, "Detach numbers that it no longer needs, take some out of the plan, or raise max_numbers if the carriers allow it; without a number pool T-Mobile allows 49.")
	}
}

// verb returns "1 … is" or "2 …s are".
func verb(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return words.Count(n, noun) + " are"
}

// checkNumbers finds what is wrong with each number. Of one that is not on the
// account nothing else is told.
func (e *entry) checkNumbers(s *survey) {
	for _, change := range e.changes {
		if change.Action == plan.Extra {
			continue
		}
		settings, owned := s.settings[string(change.Number)]
		if !owned {
			advice := ledger.NotOwned.Advice()
			e.findNumber(change.Number, NotOwned, advice.Why, advice.Action)
			continue
		}
		e.checkType(change.Number, settings)
		e.checkProfile(change, settings)
		e.checkRecord(change)
	}
}

// us are the countries whose numbers count as US ones, as they do for
// [plan.ParseE164]: the United States and their territories.
var us = []string{"", "US", "AS", "GU", "MP", "PR", "VI"}

func (e *entry) checkType(number plan.E164, settings telnyx.NumberSettings) {
	advice := ledger.NotLongCode.Advice()
	switch {
	case !settings.Type.IsLongCode():
		e.findNumber(number, NotLongCode, fmt.Sprintf("%s Telnyx lists it as %q.", advice.Why, string(settings.Type)), advice.Action)
	case !slices.Contains(us, settings.CountryCode):
		e.findNumber(number, NotLongCode, fmt.Sprintf("Telnyx lists it as a number of country %q, and 10DLC campaigns take US numbers only.", settings.CountryCode), advice.Action)
	}
}

// checkProfile compares the number's messaging profile with the plan's. Greenlight
// puts a number on the plan's profile before it attaches it, and only then.
func (e *entry) checkProfile(change plan.Change, settings telnyx.NumberSettings) {
	has, wants := settings.MessagingProfileID, e.want.MessagingProfileID
	switch {
	case has == "" && wants != "" && willWrite(change.Action):
		e.note(change.Number, WillSetProfile, wants)
	case has == "":
		advice := ledger.NoMessagingProfile.Advice()
		mend := advice.Action
		if wants != "" {
			mend = "Put the number on messaging profile " + wants + ", which the plan names; Greenlight does so only for numbers that it attaches itself."
		}
		e.findNumber(change.Number, NoMessagingProfile, advice.Why, mend)
	case wants != "" && has != wants:
		advice := ledger.OtherProfile.Advice()
		e.findNumber(change.Number, OtherProfile, fmt.Sprintf("%s It is on %s, and the plan names %s.", advice.Why, has, wants), advice.Action)
	}
}

// willWrite reports whether the number is attached or moved on the day.
func willWrite(action plan.Action) bool {
	switch action {
	case plan.Attach, plan.Move, plan.WaitToAttach, plan.WaitToMove:
		return true
	default:
		return false
	}
}

// checkRecord finds a number that is on another campaign, or in trouble on its way
// to one or off it:
//
//	verdict of plan.Diff              told as
//	attach, after FAILED_ASSIGNMENT   carrier_failed if it was on this campaign,
//	                                  else a note
//	done, wait                        carrier_failed if a carrier's mapping is FAILED,
//	                                  removal_failed if FAILED_UNASSIGNMENT
//	wait to attach                    being_processed
//	move                              a note, and removal_failed if FAILED_UNASSIGNMENT
//	wait to move                      a note
//	conflict                          other_campaign
func (e *entry) checkRecord(change plan.Change) {
	record := change.Record
	if record == nil {
		return
	}
	number, campaign := change.Number, record.CampaignID
	switch change.Action {
	case plan.Attach:
		if !record.On(e.found.campaign) {
			e.note(number, FailedElsewhere, campaign)
			return
		}
		e.findCarrierFailed(number, withWords("Its record on campaign "+campaign+" says FAILED_ASSIGNMENT", telnyx.ReasonText(record.FailureReasons)))
	case plan.Done, plan.Wait:
		if slices.Contains(record.Mappings(), telnyx.MappingFailed) {
			e.findCarrierFailed(number, mappings(*record))
		}
		e.checkRemoval(number, *record, "Nothing is to be done if it belongs there; else ask Telnyx's support.")
	case plan.WaitToAttach:
		e.findNumber(number, BeingProcessed, fmt.Sprintf("%s It is being taken off campaign %s (PENDING_UNASSIGNMENT).", ledger.BeingProcessed.Advice().Why, campaign),
			"Run this again in an hour. Greenlight attaches it when it is off; if it stays like this, ask Telnyx's support.")
	case plan.Move:
		e.note(number, WillMove, campaign)
		e.checkRemoval(number, *record, "Greenlight will try to move it; ask Telnyx's support before the day.")
	case plan.WaitToMove:
		e.note(number, WillMoveLater, campaign)
	case plan.Conflict:
		e.findConflict(number, *record)
	}
}

func (e *entry) findCarrierFailed(number plan.E164, words string) {
	advice := ledger.CarrierFailed.Advice()
	e.findNumber(number, CarrierFailed, advice.Why+" "+words, advice.Action)
}

// mappings tells the carriers' mappings of a record.
func mappings(record telnyx.Assignment) string {
	var told []string
	for _, m := range []struct {
		who    string
		status telnyx.MappingStatus
	}{{"T-Mobile", record.TMobile}, {"the other carriers", record.NonTMobile}, {"AT&T", record.ATT}} {
		if m.status != "" {
			told = append(told, fmt.Sprintf("%s for %s", m.status, m.who))
		}
	}
	return fmt.Sprintf("On campaign %s its mapping is %s.", record.CampaignID, strings.Join(told, ", "))
}

func (e *entry) checkRemoval(number plan.E164, record telnyx.Assignment, mend string) {
	if record.AssignmentStatus == telnyx.FailedUnassignment {
		e.findNumber(number, RemovalFailed, fmt.Sprintf("Telnyx failed to take the number off campaign %s (FAILED_UNASSIGNMENT), so it is still on it.", record.CampaignID), mend)
	}
}

func (e *entry) findConflict(number plan.E164, record telnyx.Assignment) {
	advice := ledger.OtherCampaign.Advice()
	campaign, status := record.CampaignID, record.AssignmentStatus
	if status == "" {
		status = "no status told"
	}
	mend := advice.Action
	ids := []string{campaign, string(record.TelnyxCampaignID), string(record.TCRCampaignID)}
	if !slices.ContainsFunc(e.want.MoveFrom, func(from string) bool { return slices.Contains(ids, from) }) {
		mend += " Or let Greenlight move it: write " + campaign + " under move_from."
	}
	e.findNumber(number, OtherCampaign, fmt.Sprintf("%s It is on campaign %s (%s).", advice.Why, campaign, status), mend)
}
