package plan

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	yaml3 "github.com/oasdiff/yaml3"

	"greenlight/internal/telnyx"
)

// file is the top of a plan file.
type file struct {
	campaigns []entry
}

// entry is a campaign as it was read, with the places that the rules between
// campaigns speak of.
type entry struct {
	Campaign
	name, selector Position
	numbers        []placed
	// listed counts the items under numbers, refused ones too.
	listed int
}

// placed is a number and where it stands.
type placed struct {
	number E164
	at     Position
}

// fileKeys and campaignKeys are the grammar; doc.go has it in words. A new key
// is a line here, a function that reads its value, and a field of document.
var (
	fileKeys = []key[file]{
		{"version", readVersion},
		{"campaigns", readCampaigns},
	}
	campaignKeys = []key[entry]{
		{"name", readName},
		{"campaign_id", readCampaignID},
		{"tcr_campaign_id", readTCRCampaignID},
		{"numbers", readNumbers},
		{"max_numbers", readMaxNumbers},
	}
)

// names lists the keys of a table.
func names[T any](keys []key[T]) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.name
	}
	return list
}

// What the names and ids in a plan look like. Telnyx gives no form for its ids,
// so only what could not stand in a URL or a NATS subject is refused; the TCR
// form is that of Telnyx's OpenAPI description,
// https://github.com/team-telnyx/openapi.
var (
	namePattern       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	campaignIDPattern = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	tcrIDPattern      = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)
	countPattern      = regexp.MustCompile(`^[1-9][0-9]*$`)
)

// readFile reads the top of a file.
func (r *reader) readFile(root *yaml3.Node) {
	if root.Kind != yaml3.MappingNode {
		r.fault(root, "file", "is "+describe(root)+", and a plan has the keys version and campaigns", "see config/plan.example.yaml")
		return
	}
	var f file
	seen := readMapping(r, root, fileKeys, &f)
	r.require(root, seen, "version", "file", "has no version", "add a line version: 1")
	r.require(root, seen, "campaigns", "file", "has no campaigns", "add a list campaigns, see config/plan.example.yaml")
	r.entries = f.campaigns
}

// require reports a key that a mapping must have and has not.
func (r *reader) require(node *yaml3.Node, seen given, name, what, why, mend string) {
	if seen[name] == nil {
		r.fault(node, what, why, mend)
	}
}

func readVersion(r *reader, _ *file, node *yaml3.Node) {
	switch {
	case isReported(node), node.Tag == "!!int" && node.Value == "1":
	case node.Tag == "!!int" && countPattern.MatchString(node.Value):
		r.fault(node, "version "+clip(node.Value), "this Greenlight reads version 1",
			"write version: 1, or update Greenlight if the plan was written for a newer one")
	default:
		r.fault(node, "version", "is not the number 1", "write version: 1")
	}
}

func readCampaigns(r *reader, f *file, node *yaml3.Node) {
	const example = "add one, see config/plan.example.yaml"
	for _, item := range r.readItems(node, "campaigns", "no campaign is listed", example) {
		f.campaigns = append(f.campaigns, r.readCampaign(item)...)
	}
}

// readCampaign reads one item under campaigns; none comes back when it is no
// campaign at all.
func (r *reader) readCampaign(node *yaml3.Node) []entry {
	if isReported(node) {
		return nil
	}
	if isNull(node) {
		r.fault(node, "campaign", "is empty", "write it out, or delete the dash")
		return nil
	}
	if node.Kind != yaml3.MappingNode {
		r.fault(node, "campaign", "is "+describe(node)+", and keys such as name and numbers are wanted", "see config/plan.example.yaml")
		return nil
	}
	e := entry{Campaign: Campaign{MaxNumbers: DefaultMaxNumbers, Position: r.position(node)}}
	seen := readMapping(r, node, campaignKeys, &e)
	r.require(node, seen, "name", "campaign", "has no name", "add a line such as name: spring-promo")
	r.require(node, seen, "numbers", "campaign", "has no numbers", "add a list numbers")
	r.checkSelectors(node, seen)
	r.checkSize(&e, seen)
	return []entry{e}
}

// checkSelectors reports a campaign that is selected in no way or in two.
func (r *reader) checkSelectors(node *yaml3.Node, seen given) {
	byTelnyx, byTCR := seen["campaign_id"], seen["tcr_campaign_id"]
	if byTelnyx == nil && byTCR == nil {
		r.fault(node, "campaign", "says nowhere which campaign it is", "add campaign_id, or tcr_campaign_id if it is shared with you")
	}
	if byTelnyx == nil || byTCR == nil {
		return
	}
	first, second := byTelnyx, byTCR
	if r.position(second).before(r.position(first)) {
		first, second = second, first
	}
	r.fault(second, "key "+clip(second.Value), fmt.Sprintf("%s on line %d says already which campaign it is", clip(first.Value), first.Line),
		"keep one of the two")
}

// checkSize reports more numbers than the campaign takes.
func (r *reader) checkSize(e *entry, seen given) {
	if e.MaxNumbers < 1 || e.listed <= e.MaxNumbers {
		return
	}
	why := fmt.Sprintf("%s are listed, and the campaign takes %d", count(e.listed, "number"), e.MaxNumbers)
	mend := fmt.Sprintf("take some out, or write max_numbers: %d if the carriers allow it", e.listed)
	r.fault(seen["numbers"], "numbers", why, mend)
}

func readName(r *reader, e *entry, node *yaml3.Node) {
	text, ok := r.readString(node, "name")
	if !ok {
		return
	}
	if !namePattern.MatchString(text) {
		r.fault(node, fmt.Sprintf("name %q", clip(text)), "names are up to 64 letters, digits, dots, dashes and underscores, a letter or digit first",
			"choose a name such as spring-promo")
		return
	}
	e.Name, e.name = text, r.position(node)
}

func readCampaignID(r *reader, e *entry, node *yaml3.Node) {
	text, ok := r.readString(node, "campaign_id")
	if !ok {
		return
	}
	if !campaignIDPattern.MatchString(text) {
		r.fault(node, fmt.Sprintf("campaign_id %q", clip(text)), "ids are up to 64 letters, digits and dashes",
			"copy the campaign's id from Telnyx, such as 751c6a5c-907b-43a9-8ada-ba1dc8335b07")
		return
	}
	e.CampaignID, e.selector = telnyx.CampaignID(text), r.position(node)
}

func readTCRCampaignID(r *reader, e *entry, node *yaml3.Node) {
	text, ok := r.readString(node, "tcr_campaign_id")
	if !ok {
		return
	}
	if !tcrIDPattern.MatchString(text) {
		r.fault(node, fmt.Sprintf("tcr_campaign_id %q", clip(text)), "these ids are a C and five to eight capital letters and digits",
			"copy it, such as C6X6M95, or use campaign_id for Telnyx's own id")
		return
	}
	e.TCRCampaignID, e.selector = telnyx.TCRCampaignID(text), r.position(node)
}

func readNumbers(r *reader, e *entry, node *yaml3.Node) {
	items := r.readItems(node, "numbers", "no number is listed", "add the numbers, or delete the campaign from the plan")
	e.listed += len(items)
	for _, item := range items {
		if n, ok := r.readNumber(item); ok {
			e.numbers = append(e.numbers, placed{n, r.position(item)})
		}
	}
}

// readNumber reads one number by the text of the scalar, never by what YAML
// makes of it: the text of +15551234567 is whole, and 0123, 0x1F, 1_5 and 1.5e10
// are seen for what was written.
func (r *reader) readNumber(node *yaml3.Node) (E164, bool) {
	if isReported(node) {
		return "", false
	}
	if node.Kind != yaml3.ScalarNode {
		r.fault(node, "number", "is "+describe(node)+", and a phone number is wanted", "write one number on each line, with a dash before it")
		return "", false
	}
	text := node.Value
	if isNull(node) {
		text = "" // also when it is written ~ or null
	}
	n, err := ParseE164(text)
	if refused, ok := errors.AsType[*NumberError](err); ok {
		r.fault(node, refused.what(), refused.Why, refused.Mend)
		return "", false
	}
	return n, true
}

// readMaxNumbers reads how many numbers the campaign takes. On a fault it leaves
// no bound, so that the fault is not told twice.
func readMaxNumbers(r *reader, e *entry, node *yaml3.Node) {
	e.MaxNumbers = 0
	if isReported(node) {
		return
	}
	n, err := strconv.Atoi(node.Value)
	if err != nil || node.Tag != "!!int" || !countPattern.MatchString(node.Value) {
		r.fault(node, "max_numbers", "is not a whole number from 1 up", "write one without quotes, such as max_numbers: 49")
		return
	}
	e.MaxNumbers = n
}
