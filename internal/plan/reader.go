package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	yaml3 "github.com/oasdiff/yaml3"
)

// reader reads one plan file by the tables of its grammar. It walks the nodes of
// yaml3, the parser within github.com/oasdiff/yaml, and does not decode into Go
// values with that package's Unmarshal. Unmarshal stops at the first fault, takes
// keys in any letter case, ignores a second document, and by the time that its
// origin tracking gives positions, +15551234567 and 0123 are integers. A node
// still has its place, its tag and the text as it was written, so one walk finds
// every fault where it stands. That both ways read an accepted plan alike is what
// FuzzLoad checks.
type reader struct {
	file   string
	faults *collector
	// tabs is set when a tab in the indentation was reported. A syntax error
	// after that is most likely the same fault again.
	tabs bool
	// entries are the campaigns read so far.
	entries []entry
	// open reads a file that the plan names; see loader.openNumbers. It is nil for
	// a plan that comes without its folder.
	open func(name string, at Position) (file string, data []byte, refused *refusal)
}

// read reads a whole file.
func (r *reader) read(data []byte) {
	text, ok := r.readText(data)
	if !ok {
		return
	}
	root, ok := r.parse(text)
	if !ok {
		return
	}
	r.refuseFeatures(root)
	r.readFile(root)
}

// parse returns the root of the one document that the text must hold.
func (r *reader) parse(text []byte) (*yaml3.Node, bool) {
	decoder := yaml3.NewDecoder(bytes.NewReader(text))
	decoder.DisableTimestamps(true) // so that 2026-11-01 is a name, as in YAML 1.2
	document, err := next(decoder)
	if errors.Is(err, io.EOF) || err == nil && isNull(document.Content[0]) {
		r.faultAt(1, 1, "file", "is empty", "write a plan in it, or delete it")
		return nil, false
	}
	if err != nil {
		r.syntaxFault(err)
		return nil, false
	}
	second, err := next(decoder)
	switch {
	case err == nil:
		r.fault(second, "second document", "a file holds one plan, and YAML readers would skip this one",
			"move it to a file of its own, or delete the --- above it")
	case !errors.Is(err, io.EOF):
		r.syntaxFault(err)
	}
	return document.Content[0], true
}

// next parses one document. The parser panics over what it takes for its own
// mistakes; a plan must not stop the process for one.
func next(decoder *yaml3.Decoder) (document *yaml3.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", p)
		}
	}()
	document = new(yaml3.Node)
	if err := decoder.Decode(document); err != nil {
		return nil, err
	}
	return document, nil
}

// syntaxError matches the errors of yaml3, which hold a line as text, or none
// when it is the first.
var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxFault reports that the file is no YAML. The line may be one too low, or
// that where the broken part begins, hence "from here on".
func (r *reader) syntaxFault(err error) {
	if r.tabs {
		return
	}
	line, why := 0, err.Error()
	if match := syntaxError.FindStringSubmatch(why); match != nil {
		line, _ = strconv.Atoi(match[1])
		why = match[2]
	}
	r.faultAt(max(line, 1), 1, "file", "is not YAML ("+why+")",
		"check the indentation, colons and quotes from here on; nothing else in this file was checked")
}

// refuseFeatures reports what YAML offers and a plan does without, wherever it
// stands: it lets a number be somewhere without being written there.
func (r *reader) refuseFeatures(node *yaml3.Node) {
	const why = "a plan says everything where it applies, so that nothing is attached unseen"
	switch {
	case node.Kind == yaml3.AliasNode:
		r.fault(node, "alias *"+clip(node.Value), why, "write the values out here")
	case isMerge(node):
		r.fault(node, "merge key <<", why, "write the keys out here")
	case node.Style&yaml3.TaggedStyle != 0:
		r.fault(node, "tag "+clip(node.Tag), "a plan has no use for YAML tags", "delete it, and put text in quotes instead")
	}
	if node.Anchor != "" {
		r.fault(node, "anchor &"+clip(node.Anchor), why, "delete it, and write the values out where they apply")
	}
	for _, child := range node.Content {
		r.refuseFeatures(child)
	}
}

// key is one key of a mapping in the grammar: its name and what reads its value.
type key[T any] struct {
	name string
	read func(r *reader, into *T, value *yaml3.Node)
}

// given holds the nodes of the keys that a mapping has.
type given map[string]*yaml3.Node

// readMapping reads a mapping by the table of its keys. A key that is nearly
// right is reported and then read as what was meant, so that its value is
// checked too and nothing is called missing that is only misspelt.
func readMapping[T any](r *reader, node *yaml3.Node, keys []key[T], into *T) given {
	seen, known := given{}, names(keys)
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		if k, ok := r.readKey(name, known, seen); ok {
			keys[k].read(r, into, value)
		}
	}
	return seen
}

// readKey returns which of the known keys the node is, after reporting what is
// wrong with it.
func (r *reader) readKey(node *yaml3.Node, known []string, seen given) (int, bool) {
	if isMerge(node) || node.Kind == yaml3.AliasNode {
		return 0, false // reported by refuseFeatures
	}
	if node.Kind != yaml3.ScalarNode {
		r.fault(node, "key", "is "+describe(node)+", and keys are words", "use one of "+list(known))
		return 0, false
	}
	k, exact := nearest(node.Value, known)
	if k < 0 {
		r.fault(node, fmt.Sprintf("key %q", clip(node.Value)), "is not known", "use one of "+list(known)+", or delete it")
		return 0, false
	}
	first := seen[known[k]]
	switch {
	case !exact:
		r.misspelt(node, known[k])
	case first != nil:
		r.fault(node, "key "+known[k], fmt.Sprintf("stands already on line %d", first.Line), "keep one of the two")
	}
	if first == nil {
		seen[known[k]] = node
	}
	return k, true
}

// misspelt reports a key that is not quite one that is known.
func (r *reader) misspelt(node *yaml3.Node, meant string) {
	what := fmt.Sprintf("key %q", clip(node.Value))
	if strings.EqualFold(node.Value, meant) {
		r.fault(node, what, "is in the wrong letter case", "write "+meant)
		return
	}
	r.fault(node, what, "is not known", "did you mean "+meant+"?")
}

// readString returns the text of a scalar, or reports that it is none. Text that
// YAML takes for something else must be in quotes, so that every YAML reader
// sees the same.
func (r *reader) readString(node *yaml3.Node, what string) (string, bool) {
	switch {
	case isReported(node):
		return "", false
	case isNull(node), node.Kind == yaml3.ScalarNode && node.Value == "":
		r.fault(node, what, "is empty", "write a value, or delete the line")
		return "", false
	case node.Kind != yaml3.ScalarNode:
		r.fault(node, what, "is "+describe(node)+", and one value is wanted", "write it on the same line as its key")
		return "", false
	case node.Tag != "!!str":
		r.fault(node, what, fmt.Sprintf("%q is %s to YAML, and text is wanted", clip(node.Value), describe(node)), "put it in quotes")
		return "", false
	}
	return node.Value, true
}

// readItems returns the items of a list, or reports that the node is no list.
// An absent list is told as an empty one is: empty, and why that is no plan.
func (r *reader) readItems(node *yaml3.Node, what, empty, mend string) []*yaml3.Node {
	switch {
	case isReported(node):
		return nil
	case isNull(node), node.Kind == yaml3.SequenceNode && len(node.Content) == 0:
		r.fault(node, what, empty, mend)
		return nil
	case node.Kind != yaml3.SequenceNode:
		r.fault(node, what, "is "+describe(node)+", and a list is wanted", "begin each item on its own line with a dash")
		return nil
	}
	return node.Content
}

// fault reports a fault at a node.
func (r *reader) fault(at *yaml3.Node, what, why, mend string) {
	r.faultAt(at.Line, at.Column, what, why, mend)
}

// faultAt reports a fault at a place in the file.
func (r *reader) faultAt(line, column int, what, why, mend string) {
	r.faults.add(Position{r.file, line, column}, what, why, mend)
}

// position returns where a node stands.
func (r *reader) position(node *yaml3.Node) Position {
	return Position{File: r.file, Line: node.Line, Column: node.Column}
}

func isNull(node *yaml3.Node) bool {
	return node.Kind == yaml3.ScalarNode && node.Tag == "!!null"
}

func isMerge(node *yaml3.Node) bool {
	return node.Kind == yaml3.ScalarNode && node.Tag == "!!merge"
}

// isReported says that refuseFeatures has reported the node itself, so that a
// second fault about its type would be noise.
func isReported(node *yaml3.Node) bool {
	return node.Kind == yaml3.AliasNode || node.Style&yaml3.TaggedStyle != 0 || isMerge(node)
}

// describe names the kind of a node for people.
func describe(node *yaml3.Node) string {
	switch node.Kind {
	case yaml3.SequenceNode:
		return "a list"
	case yaml3.MappingNode:
		return "a group of keys"
	case yaml3.AliasNode:
		return "an alias"
	}
	switch node.Tag {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}
