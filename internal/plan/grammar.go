package plan

import (
	"fmt"
	"regexp"

	yaml3 "github.com/oasdiff/yaml3"
)

// file is the top of a plan file.
type file struct {
	campaigns []entry
}

// entry is a campaign as it was read, with the places that the rules between
// campaigns speak of.
type entry struct {
	Campaign
	name, selector, pool Position
	numbers              []placed
	// listed counts the items under numbers and the rows of the numbers_file,
	// refused ones too.
	listed int
	// file and column are the values of numbers_file and numbers_column, nil when
	// there are none.
	file, column *yaml3.Node
	// moves are the items under move_from.
	moves []move
}

// placed is a number and where it stands.
type placed struct {
	number E164
	at     Position
}

// fileKeys and campaignKeys are the grammar; doc.go has it in words. A new key
// is a line here, a function that reads its value, a field of document, and a
// property in config/plan.schema.json.
var (
	fileKeys = []key[file]{
		{"version", readVersion},
		{"campaigns", readCampaigns},
	}
	campaignKeys = []key[entry]{
		{"name", readName},
		{"campaign_id", readCampaignID},
		{"tcr_campaign_id", readTCRCampaignID},
		{"reference_id", readReferenceID},
		{"brand_id", readBrandID},
		{"messaging_profile_id", readMessagingProfileID},
		{"numbers", readNumbers},
		{"numbers_file", readNumbersFile},
		{"numbers_column", readNumbersColumn},
		{"number_pool", readNumberPool},
		{"move_from", readMoveFrom},
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

var (
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	countPattern = regexp.MustCompile(`^[1-9][0-9]*$`)
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
	r.checkSource(node, seen)
	r.checkSelectors(node, seen)
	r.checkMoves(&e)
	r.readListedFile(&e, seen)
	r.checkSize(&e, seen)
	return []entry{e}
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
