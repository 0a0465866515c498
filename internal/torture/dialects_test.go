//go:build unix

package torture

import (
	"os"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/telnyx/telnyxsim"
)

// leftOut are the dialects that no world is drawn in, with the reason.
var leftOut = map[string]string{
	"assignment-missing": "without a status it is unknown whether a number is in use, failed or on its way",
	"mappings-missing":   "without mappings nothing says that carriers have the number, so no number ends sendable",
	"moves-refused":      "the only call that moves a number is refused, so numbers to be moved stay",
	"lists-lag":          "its lists lag for longer than a claim is kept here; each world has another lag",
}

// varDialects names the dialects of every world, with commas, instead of those drawn.
const varDialects = "GREENLIGHT_TORTURE_DIALECTS"

// drawDialects draws one dialect or two.
func drawDialects(dice *dice) (names []string, merged telnyxsim.Dialect) {
	if text := os.Getenv(varDialects); text != "" {
		names = strings.Split(text, ",")
		merged, err := telnyxsim.ParseDialect(names...)
		if err != nil {
			panic(err) // a person named one that does not exist
		}
		return names, merged
	}
	fit := slices.DeleteFunc(telnyxsim.Dialects(), func(d telnyxsim.NamedDialect) bool { return leftOut[d.Name] != "" })
	for range 1 + dice.below(2) {
		d := fit[dice.below(len(fit))]
		names = append(names, d.Name)
		merged = telnyxsim.Merge(merged, d.Dialect)
	}
	return names, merged
}

func TestLeftOut_NamesDialectsThatExist(t *testing.T) {
	for name := range leftOut {
		if !slices.ContainsFunc(telnyxsim.Dialects(), func(d telnyxsim.NamedDialect) bool { return d.Name == name }) {
			t.Errorf("dialect %q does not exist", name)
		}
	}
}
