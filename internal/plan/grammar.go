package plan

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	yaml3 "github.com/oasdiff/yaml3"

	"greenlight/internal/telnyx"
)

// entry is a campaign as it was read, with the positions that the rules between
// campaigns need.
type entry struct {
	Campaign
	name, selector, pool Position
	numbers              []placed
	// listed counts the items under numbers and the rows of the numbers_file, refused
	// ones too, but not those that are set aside.
	listed int
}

// placed is a number and its position.
type placed struct {
	number E164
	at     Position
}

// The keys of the grammar; doc.go describes them. A new key needs a line here, code in
// readCampaign, a field of Campaign, and a property in config/plan.schema.json.
var (
	fileKeys     = []string{"version", "campaigns"}
	campaignKeys = []string{"name", "campaign_id", "tcr_campaign_id", "reference_id", "brand_id", "messaging_profile_id",
		"numbers", "numbers_file", "numbers_column", "skip_invalid", "number_pool", "move_from", "max_numbers", "prune"}
)

// selectors are the keys that select the campaign. Exactly one is required.
var selectors = []string{"campaign_id", "tcr_campaign_id", "reference_id"}

// form is what the text of a key must match, and the fault if it does not.
type form struct {
	pattern *regexp.Regexp
	refusal
}

// forms are the forms of names and ids. Telnyx does not document the form of its own
// ids, so only what a URL or a NATS subject cannot hold is refused; the TCR form is that
// of Telnyx's OpenAPI description, https://github.com/team-telnyx/openapi.
//
// A reference and a brand's id may have an underscore. A campaign's id must not: that
// keeps [Campaign.ID] unique across the three selectors.
var forms = map[string]form{
	"name": {regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`),
		refusal{"names are up to 64 letters, digits, dots, dashes and underscores, starting with a letter or digit", "use a name like spring-promo"}},
	"campaign_id":          {plainID, refusal{whyPlainID, "copy the campaign's id from Telnyx, for example 751c6a5c-907b-43a9-8ada-ba1dc8335b07"}},
	"tcr_campaign_id":      {tcrID, refusal{"TCR campaign ids are a C and five to eight capital letters or digits", "copy it, for example C6X6M95, or use campaign_id for Telnyx's own id"}},
	"reference_id":         {referenceID, refusal{whyReferenceID, "write the referenceId that the campaign is filed with, for example spring-2026"}},
	"brand_id":             {referenceID, refusal{whyReferenceID, "copy the brand's id from Telnyx, for example 97091164-e814-435c-9c1b-14ab2d18e987"}},
	"messaging_profile_id": {plainID, refusal{whyPlainID, fixProfile}},
	"number_pool":          {plainID, refusal{whyPlainID, fixProfile}},
	"move_from":            {plainID, refusal{whyPlainID, "copy the campaign's id, for example C6X6M94"}},
}

var (
	plainID     = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	referenceID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	tcrID       = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)
	// tcrIDAnyCase is tcrID in any letter case. Telnyx's own ids do not match it.
	tcrIDAnyCase = regexp.MustCompile(`(?i)` + tcrID.String())
	// telnyxID is the form of every id that Telnyx has given so far, a UUID.
	telnyxID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	positive = regexp.MustCompile(`^[1-9][0-9]*$`)
)

const (
	whyPlainID     = "ids are up to 64 letters, digits and dashes"
	whyReferenceID = "ids are up to 64 letters, digits, dashes and underscores"
	fixProfile     = "copy the messaging profile's id from Telnyx, for example 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10"
)

// readFile reads the top level of a file.
func (r *reader) readFile(root *yaml3.Node) {
	if root.Kind != yaml3.MappingNode {
		r.fault(root, "file", "is "+describe(root)+", not a mapping with the keys version and campaigns", "see config/plan.example.yaml")
		return
	}
	keys := r.readMapping(root, fileKeys)
	if version, ok := keys["version"]; ok {
		r.checkVersion(version.value)
	} else {
		r.fault(root, "file", "has no version", "add the line version: 1")
	}
	campaigns, ok := keys["campaigns"]
	if !ok {
		r.fault(root, "file", "has no campaigns", "add a list named campaigns, see config/plan.example.yaml")
		return
	}
	for _, item := range r.readItems(campaigns.value, "campaigns", "lists no campaigns", "add one, see config/plan.example.yaml") {
		r.readCampaign(item)
	}
}

func (r *reader) checkVersion(node *yaml3.Node) {
	switch {
	case isReported(node), node.Tag == "!!int" && node.Value == "1":
	case node.Tag == "!!int" && positive.MatchString(node.Value):
		r.fault(node, "version "+clip(node.Value), "this Greenlight reads version 1", "write version: 1, or upgrade Greenlight if the plan is for a newer one")
	default:
		r.fault(node, "version", "is not the number 1", "write version: 1")
	}
}

// readCampaign reads one item under campaigns.
func (r *reader) readCampaign(node *yaml3.Node) {
	switch {
	case isReported(node):
		return
	case isNull(node):
		r.fault(node, "campaign", "is empty", "add its keys, or delete the dash")
		return
	case node.Kind != yaml3.MappingNode:
		r.fault(node, "campaign", "is "+describe(node)+", not a mapping with keys like name and numbers", "see config/plan.example.yaml")
		return
	}
	e := entry{Campaign: Campaign{MaxNumbers: DefaultMaxNumbers, Position: r.position(node)}}
	keys := r.readMapping(node, campaignKeys)
	if _, ok := keys["name"]; !ok {
		r.fault(node, "campaign", "has no name", "add a line like name: spring-promo")
	}
	e.Name, e.name = r.readID(keys, "name")
	r.readSelector(&e, node, keys)
	e.MessagingProfileID, _ = r.readID(keys, "messaging_profile_id")
	e.NumberPool, e.pool = r.readID(keys, "number_pool")
	r.readMoveFrom(&e, keys)
	if p, ok := keys["prune"]; ok {
		e.Prune = r.readBool(p.value, "prune")
	}
	r.readNumbers(&e, node, keys)
	r.entries = append(r.entries, e)
}

// readID returns the value of a key that must have its form, and its position. Both are
// zero if the key is absent or refused.
func (r *reader) readID(keys mapping, name string) (string, Position) {
	p, ok := keys[name]
	if !ok {
		return "", Position{}
	}
	return r.readForm(p.value, name, name)
}

// readForm is readID for one node; what names it in faults.
func (r *reader) readForm(node *yaml3.Node, what, name string) (string, Position) {
	text, ok := r.readString(node, what)
	if !ok {
		return "", Position{}
	}
	if form := forms[name]; !form.pattern.MatchString(text) {
		r.fault(node, fmt.Sprintf("%s %q", what, clip(text)), form.why, form.fix)
		return "", Position{}
	}
	return text, r.position(node)
}

// readSelector reads the keys that select the campaign.
func (r *reader) readSelector(e *entry, node *yaml3.Node, keys mapping) {
	r.checkSelectors(node, keys)
	id, atID := r.readCampaignID(keys, "campaign_id", "tcr_campaign_id", tcrIDAnyCase, "is a Campaign Registry (TCR) id, but campaign_id takes Telnyx's own id")
	tcr, atTCR := r.readCampaignID(keys, "tcr_campaign_id", "campaign_id", telnyxID, "is a Telnyx id, but tcr_campaign_id takes a Campaign Registry (TCR) id")
	reference, atReference := r.readID(keys, "reference_id")
	e.CampaignID, e.TCRCampaignID, e.ReferenceID = telnyx.CampaignID(id), telnyx.TCRCampaignID(tcr), reference
	e.selector = cmp.Or(atID, atTCR, atReference)
	e.BrandID, _ = r.readID(keys, "brand_id")
}

// checkSelectors reports a campaign without a selector or with two, and a reference
// without its brand or the reverse.
func (r *reader) checkSelectors(node *yaml3.Node, keys mapping) {
	var found []*yaml3.Node
	for _, name := range selectors {
		if p, ok := keys[name]; ok {
			found = append(found, p.key)
		}
	}
	slices.SortFunc(found, func(a, b *yaml3.Node) int { return r.position(a).Compare(r.position(b)) })
	if len(found) == 0 {
		r.fault(node, "campaign", "has no id", "add campaign_id, tcr_campaign_id if it is shared with you, or reference_id if it has no id yet")
	}
	for i, key := range found {
		if i > 0 {
			r.fault(key, "key "+clip(key.Value), fmt.Sprintf("the campaign already has a %s on line %d", clip(found[0].Value), found[0].Line), "keep one of the two")
		}
	}
	reference, hasReference := keys["reference_id"]
	brand, hasBrand := keys["brand_id"]
	switch {
	case hasReference && !hasBrand:
		r.fault(reference.key, "reference_id", "needs brand_id, because Telnyx lists campaigns by brand", "add brand_id, the brand's id at Telnyx")
	case hasBrand && !hasReference:
		r.fault(brand.key, "brand_id", "is only used with reference_id", "add reference_id, or delete the line")
	}
}

// readCampaignID is readID for an id that is often written under the other key. That
// fault names the line to write instead.
func (r *reader) readCampaignID(keys mapping, name, other string, otherForm *regexp.Regexp, why string) (string, Position) {
	node := keys[name].value
	if node == nil || node.Tag != "!!str" || isReported(node) || !otherForm.MatchString(node.Value) {
		return r.readID(keys, name)
	}
	id := node.Value
	if other == "tcr_campaign_id" {
		id = strings.ToUpper(id)
	}
	r.fault(node, fmt.Sprintf("%s %q", name, clip(node.Value)), why, "write "+other+": "+id)
	return "", Position{}
}

// readMoveFrom reads the campaigns that numbers may be taken from. Another id of this
// campaign cannot be recognized here; [Diff] then finds the number where it belongs.
func (r *reader) readMoveFrom(e *entry, keys mapping) {
	p, ok := keys["move_from"]
	if !ok {
		return
	}
	lines := map[string]int{}
	for _, item := range r.readItems(p.value, "move_from", "lists no campaigns", "add the campaigns that numbers may be taken from, or delete the line") {
		id, _ := r.readForm(item, "campaign", "move_from")
		switch line, repeated := lines[id]; {
		case id == "":
		case repeated:
			r.fault(item, "campaign "+id, fmt.Sprintf("is already on line %d", line), "delete one of the two")
		case id == e.ID():
			r.fault(item, "campaign "+id, "is this campaign itself", "write the campaign that the numbers are on now")
		default:
			lines[id] = item.Line
			e.MoveFrom = append(e.MoveFrom, id)
		}
	}
	slices.Sort(e.MoveFrom)
}

// readNumbers reads the numbers of an entry from the plan and from its numbers file.
func (r *reader) readNumbers(e *entry, node *yaml3.Node, keys mapping) {
	numbers, inPlan := keys["numbers"]
	file, inFile := keys["numbers_file"]
	if _, pool := keys["number_pool"]; !inPlan && !inFile && !pool {
		r.fault(node, "campaign", "has no numbers", "add numbers, a numbers_file or a number_pool")
	}
	if inPlan {
		items := r.readItems(numbers.value, "numbers", "lists no numbers", "add numbers, or delete the campaign from the plan")
		e.listed += len(items)
		for _, item := range items {
			r.readNumber(e, item)
		}
	}
	r.readNumbersFile(e, keys)
	r.readMaxNumbers(e, keys)
	if e.MaxNumbers == 0 || e.listed <= e.MaxNumbers {
		return
	}
	at, what := numbers.key, "numbers"
	if !inPlan {
		at, what = file.key, "numbers_file"
	}
	r.fault(at, what, fmt.Sprintf("lists %s, but the campaign can have %d", count(e.listed, "number"), e.MaxNumbers),
		fmt.Sprintf("remove some, or write max_numbers: %d if the carriers allow it", e.listed))
}

// readNumber reads one number from the text of the scalar, not from the value that YAML
// makes of it: the text of +15551234567 is complete, and 0123, 0x1F, 1_5 and 1.5e10 are
// seen as written.
func (r *reader) readNumber(e *entry, node *yaml3.Node) {
	if isReported(node) {
		return
	}
	if node.Kind != yaml3.ScalarNode {
		r.fault(node, "number", "is "+describe(node)+", not a phone number", "write one number on each line, after a dash")
		return
	}
	text := node.Value
	if isNull(node) {
		text = "" // also when it is written ~ or null
	}
	r.addNumber(e, text, r.position(node))
}

// addNumber parses a number and adds it to an entry, or reports why it is refused.
func (r *reader) addNumber(e *entry, text string, at Position) {
	n, err := ParseE164(text)
	if refused := asFault(err); refused != nil {
		r.faults.add(at, refused.What, refused.Why, refused.Fix)
		return
	}
	e.numbers = append(e.numbers, placed{n, at})
}

// asFault returns the fault of a refused number, without its position, or nil.
func asFault(err error) *Fault {
	refused, ok := errors.AsType[*NumberError](err)
	if !ok {
		return nil
	}
	return &Fault{What: refused.what(), Why: refused.Why, Fix: refused.Fix}
}

// readMaxNumbers reads how many numbers the campaign takes. A refused value sets no
// bound, so that one mistake does not give two faults.
func (r *reader) readMaxNumbers(e *entry, keys mapping) {
	p, ok := keys["max_numbers"]
	if !ok {
		return
	}
	e.MaxNumbers = 0
	if isReported(p.value) {
		return
	}
	n, err := strconv.Atoi(p.value.Value)
	if err != nil || p.value.Tag != "!!int" || !positive.MatchString(p.value.Value) {
		r.fault(p.value, "max_numbers", "is not a whole number of at least 1", "write it without quotes, for example max_numbers: 49")
		return
	}
	e.MaxNumbers = n
}
