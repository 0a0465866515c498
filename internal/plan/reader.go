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

// reader reads one plan file. It walks the nodes of yaml3, the parser in
// github.com/oasdiff/yaml, and does not decode into Go values with that package's
// Unmarshal. Unmarshal stops at the first fault, accepts keys in any letter case,
// ignores a second document, and has turned +15551234567 and 0123 into integers by the
// time its origin tracking gives positions. A node still has its position, its tag and
// its text as written, so one walk finds every fault. FuzzLoad checks that both ways
// read an accepted plan alike.
type reader struct {
	file   string
	faults *collector
	// aside gets the rows of numbers files that skip_invalid leaves out.
	aside *collector
	// tabs is set once a tab in the indentation is reported. A syntax error after that
	// is most likely the same fault again.
	tabs bool
	// entries are the campaigns read so far.
	entries []entry
	// open reads a numbers_file; see loader.openNumbers. It is nil for a plan that was
	// loaded without its folder.
	open func(name string, at Position) (file string, data []byte, refused *refusal)
}

// refusal is a [Fault] without its position and subject.
type refusal struct{ why, fix string }

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
		r.fault(second, "second document", "a file holds one plan, and most YAML readers would skip this one",
			"move it to its own file, or delete the --- above it")
	case !errors.Is(err, io.EOF):
		r.syntaxFault(err)
	}
	return document.Content[0], true
}

// next parses one document. The parser panics on internal errors; a plan must not crash
// the process.
func next(decoder *yaml3.Decoder) (document *yaml3.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", p)
		}
	}()
	document = new(yaml3.Node)
	return document, decoder.Decode(document)
}

// syntaxError matches the errors of yaml3, which have their line as text, or no line if
// it is the first.
var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxFault reports that the file is not YAML. The parser's line may be one too low,
// or where the broken part starts, hence "from here on".
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
		"check indentation, colons and quotes from here on; the rest of this file was not checked")
}

// refuseFeatures reports features of YAML that plans do not use, wherever they are:
// with them a number could be planned without being written where it applies.
func (r *reader) refuseFeatures(node *yaml3.Node) {
	const why = "a plan must write out every value where it applies"
	switch {
	case node.Kind == yaml3.AliasNode:
		r.fault(node, "alias *"+clip(node.Value), why, "write the values here instead")
	case isMerge(node):
		r.fault(node, "merge key <<", why, "write the keys here instead")
	case node.Style&yaml3.TaggedStyle != 0:
		r.fault(node, "tag "+clip(node.Tag), "plans do not use YAML tags", "delete it, and quote the value if it is text")
	}
	if node.Anchor != "" {
		r.fault(node, "anchor &"+clip(node.Anchor), why, "delete it, and write the values where they apply")
	}
	for _, child := range node.Content {
		r.refuseFeatures(child)
	}
}

// mapping holds the known keys of a YAML mapping with their values, by name.
type mapping map[string]pair

type pair struct{ key, value *yaml3.Node }

// readMapping returns the known keys of a mapping, after reporting the others. A
// misspelled key is reported and then read as the key that was meant, so that its value
// is checked too and not reported as missing. Of a repeated key the first value counts.
func (r *reader) readMapping(node *yaml3.Node, known []string) mapping {
	m := mapping{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		name := r.readKey(key, known)
		first, repeated := m[name]
		switch {
		case name == "":
		case !repeated:
			m[name] = pair{key, node.Content[i+1]}
		case key.Value == name:
			r.fault(key, "key "+name, fmt.Sprintf("is already on line %d", first.key.Line), "keep one of the two")
		}
	}
	return m
}

// readKey returns which of the known keys the node is, or "" if it is none of them, and
// reports a key that is not exactly right.
func (r *reader) readKey(node *yaml3.Node, known []string) string {
	if isMerge(node) || node.Kind == yaml3.AliasNode {
		return "" // reported by refuseFeatures
	}
	if node.Kind != yaml3.ScalarNode {
		r.fault(node, "key", "is "+describe(node)+", not a word", "use one of "+list(known))
		return ""
	}
	what, name := fmt.Sprintf("key %q", clip(node.Value)), Closest(node.Value, known)
	switch {
	case name == "":
		r.fault(node, what, "is unknown", "use one of "+list(known)+", or delete it")
	case name == node.Value:
	case strings.EqualFold(node.Value, name):
		r.fault(node, what, "has the wrong letter case", "write "+name)
	default:
		r.fault(node, what, "is unknown", "did you mean "+name+"?")
	}
	return name
}

// readString returns the text of a scalar, or reports that it is not one. Text that YAML
// reads as another type must be quoted, so that every YAML reader sees the same.
func (r *reader) readString(node *yaml3.Node, what string) (string, bool) {
	switch {
	case isReported(node):
		return "", false
	case isNull(node), node.Kind == yaml3.ScalarNode && node.Value == "":
		r.fault(node, what, "is empty", "write a value, or delete the line")
		return "", false
	case node.Kind != yaml3.ScalarNode:
		r.fault(node, what, "is "+describe(node)+", not a single value", "write it on the same line as its key")
		return "", false
	case node.Tag != "!!str":
		r.fault(node, what, fmt.Sprintf("%q is %s in YAML, not text", clip(node.Value), describe(node)), "put it in quotes")
		return "", false
	}
	return node.Value, true
}

// readBool returns a value that must be true or false; false if it is refused.
func (r *reader) readBool(node *yaml3.Node, what string) bool {
	if !isReported(node) && (node.Kind != yaml3.ScalarNode || node.Tag != "!!bool") {
		r.fault(node, what, "is not true or false", "write "+what+": true, or delete the line")
		return false
	}
	return strings.EqualFold(node.Value, "true")
}

// readItems returns the items of a list, or reports that the node is not a list or is
// an empty one.
func (r *reader) readItems(node *yaml3.Node, what, empty, fix string) []*yaml3.Node {
	switch {
	case isReported(node):
		return nil
	case isNull(node), node.Kind == yaml3.SequenceNode && len(node.Content) == 0:
		r.fault(node, what, empty, fix)
		return nil
	case node.Kind != yaml3.SequenceNode:
		r.fault(node, what, "is "+describe(node)+", not a list", "start each item on its own line with a dash")
		return nil
	}
	return node.Content
}

// fault reports a fault at a node.
func (r *reader) fault(at *yaml3.Node, what, why, fix string) {
	r.faultAt(at.Line, at.Column, what, why, fix)
}

// faultAt reports a fault at a line and column of the file.
func (r *reader) faultAt(line, column int, what, why, fix string) {
	r.faults.add(Position{r.file, line, column}, what, why, fix)
}

// position returns where a node starts.
func (r *reader) position(node *yaml3.Node) Position {
	return Position{File: r.file, Line: node.Line, Column: node.Column}
}

func isNull(node *yaml3.Node) bool {
	return node.Kind == yaml3.ScalarNode && node.Tag == "!!null"
}

func isMerge(node *yaml3.Node) bool {
	return node.Kind == yaml3.ScalarNode && node.Tag == "!!merge"
}

// isReported reports whether refuseFeatures has reported the node itself. A second fault
// about its type would be noise.
func isReported(node *yaml3.Node) bool {
	return node.Kind == yaml3.AliasNode || node.Style&yaml3.TaggedStyle != 0 || isMerge(node)
}

// describe names the kind of a node for people.
func describe(node *yaml3.Node) string {
	switch node.Kind {
	case yaml3.SequenceNode:
		return "a list"
	case yaml3.MappingNode:
		return "a mapping"
	case yaml3.AliasNode:
		return "an alias"
	}
	switch node.Tag {
	case "!!null":
		return "empty"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}
