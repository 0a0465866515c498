package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	yaml3 "github.com/oasdiff/yaml3"

	"greenlight/internal/telnyx"
)

// The forms of the ids in a plan. Telnyx does not document the form of its own ids, so
// only what a URL or a NATS subject cannot hold is refused; the TCR form is that of
// Telnyx's OpenAPI description, https://github.com/team-telnyx/openapi.
//
// An underscore may stand in a reference and in a brand's id, and must never be
// let into a campaign's: that keeps [Campaign.ID] of the three selectors apart.
var (
	campaignIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	tcrIDPattern      = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)
	// anyCaseTCRIDPattern is tcrIDPattern in any case: the ids of Telnyx are UUIDs.
	anyCaseTCRIDPattern = regexp.MustCompile(`(?i)` + tcrIDPattern.String())
	referenceIDPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	// telnyxIDPattern is the form of every id that Telnyx has given so far, a UUID.
	telnyxIDPattern  = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	profileIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// selectors are the keys that say which campaign is meant; one of them must.
var selectors = []string{"campaign_id", "tcr_campaign_id", "reference_id"}

// checkSelectors reports a campaign that is selected in no way or in two, and a
// reference without its brand or the other way round.
func (r *reader) checkSelectors(node *yaml3.Node, seen given) {
	var stand []*yaml3.Node
	for _, name := range selectors {
		if key := seen[name]; key != nil {
			stand = append(stand, key)
		}
	}
	slices.SortFunc(stand, func(a, b *yaml3.Node) int { return r.position(a).compare(r.position(b)) })
	if len(stand) == 0 {
		r.fault(node, "campaign", "says nowhere which campaign it is",
			"add campaign_id, tcr_campaign_id if it is shared with you, or reference_id if it is not filed yet")
	}
	for i, key := range stand {
		if i > 0 {
			r.fault(key, "key "+clip(key.Value), fmt.Sprintf("%s on line %d says already which campaign it is", clip(stand[0].Value), stand[0].Line),
				"keep one of the two")
		}
	}
	reference, brand := seen["reference_id"], seen["brand_id"]
	switch {
	case reference != nil && brand == nil:
		r.fault(reference, "reference_id", "stands without brand_id, and Telnyx lists campaigns by brand",
			"add brand_id, the id that Telnyx gave the brand")
	case reference == nil && brand != nil:
		r.fault(brand, "brand_id", "stands without reference_id, and says nothing alone", "add reference_id, or delete the line")
	}
}

// readID returns the text of an id that has the given form, or reports that it
// is none.
func (r *reader) readID(node *yaml3.Node, what string, form *regexp.Regexp, why, mend string) (string, bool) {
	text, ok := r.readString(node, what)
	if !ok {
		return "", false
	}
	if !form.MatchString(text) {
		r.fault(node, fmt.Sprintf("%s %q", what, clip(text)), why, mend)
		return "", false
	}
	return text, true
}

// refuseOtherID reports an id that has the form of those under another key, and the line to
// write instead.
func (r *reader) refuseOtherID(node *yaml3.Node, what, other string, form *regexp.Regexp, why string) bool {
	if node.Kind != yaml3.ScalarNode || node.Tag != "!!str" || isReported(node) || !form.MatchString(node.Value) {
		return false
	}
	id := node.Value
	if other == "tcr_campaign_id" {
		id = strings.ToUpper(id)
	}
	r.fault(node, fmt.Sprintf("%s %q", what, clip(node.Value)), why, "write "+other+": "+id)
	return true
}

// Messages for invalid ids.
const (
	whyNoID        = "ids are up to 64 letters, digits and dashes"
	whyNoTCRID     = "these ids are a C and five to eight capital letters and digits"
	whyNoReference = "these ids are up to 64 letters, digits, dashes and underscores"
)

func readCampaignID(r *reader, e *entry, node *yaml3.Node) {
	if r.refuseOtherID(node, "campaign_id", "tcr_campaign_id", anyCaseTCRIDPattern, "is a Campaign Registry (TCR) id; campaign_id takes Telnyx's own id") {
		return
	}
	if text, ok := r.readID(node, "campaign_id", campaignIDPattern, whyNoID,
		"copy the campaign's id from Telnyx, such as 751c6a5c-907b-43a9-8ada-ba1dc8335b07"); ok {
		e.CampaignID, e.selector = telnyx.CampaignID(text), r.position(node)
	}
}

func readTCRCampaignID(r *reader, e *entry, node *yaml3.Node) {
	if r.refuseOtherID(node, "tcr_campaign_id", "campaign_id", telnyxIDPattern, "is a Telnyx id; tcr_campaign_id takes a Campaign Registry (TCR) id") {
		return
	}
	if text, ok := r.readID(node, "tcr_campaign_id", tcrIDPattern, whyNoTCRID,
		"copy it, such as C6X6M95, or use campaign_id for Telnyx's own id"); ok {
		e.TCRCampaignID, e.selector = telnyx.TCRCampaignID(text), r.position(node)
	}
}

func readReferenceID(r *reader, e *entry, node *yaml3.Node) {
	if text, ok := r.readID(node, "reference_id", referenceIDPattern, whyNoReference,
		"write the referenceId that the campaign is filed with, such as spring-2026"); ok {
		e.ReferenceID, e.selector = text, r.position(node)
	}
}

func readBrandID(r *reader, e *entry, node *yaml3.Node) {
	if text, ok := r.readID(node, "brand_id", referenceIDPattern, whyNoReference,
		"copy the brand's id from Telnyx, such as 97091164-e814-435c-9c1b-14ab2d18e987"); ok {
		e.BrandID = text
	}
}

// readMoveFrom reads the campaigns that numbers may be taken from.
func readMoveFrom(r *reader, e *entry, node *yaml3.Node) {
	first := map[string]int{}
	for _, item := range r.readItems(node, "move_from", "no campaign is listed", "add the campaigns that numbers may leave, or delete the line") {
		text, ok := r.readID(item, "campaign", campaignIDPattern, whyNoID, "copy its id, such as C6X6M94")
		if !ok {
			continue
		}
		if line, twice := first[text]; twice {
			r.fault(item, "campaign "+text, fmt.Sprintf("stands already on line %d", line), "delete one of the two")
			continue
		}
		first[text] = item.Line
		e.moves = append(e.moves, move{text, item})
	}
}

// move is one campaign under move_from.
type move struct {
	from string
	node *yaml3.Node
}

// checkMoves reports a campaign that would take numbers from itself, and keeps
// the others. That another id means the same campaign cannot be known here; [Diff]
// then finds the number where it belongs.
func (r *reader) checkMoves(e *entry) {
	for _, m := range e.moves {
		if m.from == e.ID() {
			r.fault(m.node, "campaign "+m.from, "is this campaign itself", "name the campaign that the numbers are on today")
			continue
		}
		e.MoveFrom = append(e.MoveFrom, m.from)
	}
	slices.Sort(e.MoveFrom)
}
