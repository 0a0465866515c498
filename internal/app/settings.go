package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"greenlight/internal/events"
)

// Parse reads arguments and environment into cli, a struct for kong. Done is true if the
// arguments asked for help or the version, which was printed. The returned context runs
// the chosen command, if cli has commands.
//
// Settings are strings until their group reads them, because kong would stop at the first
// malformed one.
func Parse(cli any, name, description string, args []string, stdout io.Writer) (chosen *kong.Context, done bool, err error) {
	parser, err := NewParser(cli, name, description, stdout, kong.Exit(func(int) { done = true })) // only main may end the process
	if err != nil {
		return nil, false, err
	}
	if len(args) == 0 && len(parser.Model.Children) > 0 {
		args = []string{"--help"}
	}
	chosen, err = parser.Parse(args)
	if done {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%w (see %s --help)", faultOf(err), commandOf(name, err))
	}
	return chosen, false, nil
}

// NewParser returns the parser of [Parse], whose model has all commands and settings.
func NewParser(cli any, name, description string, stdout io.Writer, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(cli, append(more,
		kong.Name(name),
		kong.Description(description),
		kong.Writers(stdout, stdout),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
		kong.ValueFormatter(HelpOf),
		kong.KindMapper(reflect.String, kong.MapperFunc(decodeText)),
		kong.KindMapper(reflect.Int, kong.MapperFunc(decodeCount)),
		kong.KindMapper(reflect.Uint64, kong.MapperFunc(decodeCount)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.Vars{
			"min_server": events.MinServerVersion, "version": name + " " + ThisBuild().String(), "admin_listen": adminListen(name),
		},
	)...)
}

// shortFlag is how kong reports an argument that begins with one dash. Short flags are so few
// that its suggestion is never what was meant.
var shortFlag = regexp.MustCompile(`^(unknown flag -[^-])(, did you mean .*)?$`)

// faultOf returns what is wrong with the arguments. For a value that begins with a dash, it
// adds how to write it.
func faultOf(err error) error {
	if found := shortFlag.FindStringSubmatch(err.Error()); found != nil {
		return errors.New(found[1] + "; before a value that begins with a dash, write --")
	}
	return err
}

// commandOf returns the command whose arguments were at fault, as a user types it.
func commandOf(name string, err error) string {
	fault, ok := errors.AsType[*kong.ParseError](err)
	if !ok || fault.Context == nil || fault.Context.Selected() == nil {
		return name
	}
	command := ""
	for node := fault.Context.Selected(); node != nil && node.Type == kong.CommandNode; node = node.Parent {
		command = " " + node.Name + command
	}
	return name + command
}

// HelpOf returns the help of a flag or argument, with the variable that sets it.
func HelpOf(value *kong.Value) string {
	if len(value.Tag.Envs) == 0 {
		return value.Help
	}
	return value.Help + " [$" + value.Tag.Envs[0] + "]"
}

// popValue returns the next argument as the value of a flag. The messages of kong's own
// decoders are about its parser, and repeat those of strconv and time.
func popValue(ctx *kong.DecodeContext) (string, error) {
	token := ctx.Scan.Pop()
	switch {
	case token.IsValue():
		return token.String(), nil
	case token.InferredType() == kong.ShortFlagToken:
		return "", fmt.Errorf("the value begins with a dash; write --%s=VALUE", ctx.Value.Name)
	}
	return "", errors.New("the value is missing")
}

func decodeText(ctx *kong.DecodeContext, target reflect.Value) error {
	value, err := popValue(ctx)
	target.SetString(value)
	return err
}

func decodeCount(ctx *kong.DecodeContext, target reflect.Value) error {
	value, err := popValue(ctx)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a whole number from 0", value)
	}
	if target.CanUint() {
		target.SetUint(uint64(n))
	} else {
		target.SetInt(n)
	}
	return nil
}

func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	value, err := popValue(ctx)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(value)
	if err != nil {
		return fmt.Errorf("%q is not a duration; use one like 30s, 10m or 1h30m", value)
	}
	if d < 0 {
		return fmt.Errorf("%q is negative; use a duration like 30s, 10m or 1h30m", value)
	}
	target.SetInt(int64(d))
	return nil
}

// Fault is one setting that cannot be used.
type Fault struct {
	// Setting is its name in the environment.
	Setting string
	// What says what is wrong, without a full stop, and Fix how to fix it, in sentences.
	// Fix is empty if What says it.
	What, Fix string
	// Err is the error of using the setting, if there was one.
	Err error
}

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// Says returns a sentence that names the setting both ways and says what is wrong.
func (f *Fault) Says() string {
	return fmt.Sprintf("%s (--%s) %s.", f.Setting, FlagName(f.Setting), f.What)
}

// Error returns what is wrong and how to fix it.
func (f *Fault) Error() string { return strings.TrimSpace(f.Says() + " " + f.Fix) }

// FlagName is the flag of a setting: TELNYX_API_KEY has --telnyx-api-key.
func FlagName(setting string) string {
	return strings.ToLower(strings.ReplaceAll(setting, "_", "-"))
}

// Faults collects what is wrong over all groups of settings.
type Faults []error

// add notes a setting that cannot be used. Joined errors in what are put on one line.
func (f *Faults) add(setting, what, fix string) {
	*f = append(*f, &Fault{Setting: setting, What: strings.ReplaceAll(what, "\n", "; "), Fix: fix})
}

// addValue notes a value that cannot be used. It must not be a secret.
func (f *Faults) addValue(setting, value, use string) {
	f.add(setting, fmt.Sprintf("is %q", value), "Use "+use+".")
}

// Err returns nil if nothing is wrong, else an error with a line for each fault.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &faultsError{f}
}

type faultsError struct{ faults Faults }

func (e *faultsError) Error() string {
	var b strings.Builder
	b.WriteString("cannot start:")
	for _, fault := range e.faults {
		for line := range strings.Lines(fault.Error()) {
			b.WriteString("\n  " + strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}

func (e *faultsError) Unwrap() []error { return e.faults }

// secret returns a text that is given directly or in a file. A fault never holds it.
func secret(faults *Faults, setting, text, file, fix string) string {
	return readSecret(readOnce, faults, setting, text, file, fix)
}

// readSecret is secret with a function that reads the file.
func readSecret(read func(path string) ([]byte, error), faults *Faults, setting, text, file, fix string) string {
	if text != "" && file != "" {
		faults.add(setting, "is given twice, directly and as a file", "Leave out "+setting+" or "+setting+"_FILE.")
		return ""
	}
	if file != "" {
		content, err := read(file)
		if err != nil {
			faults.add(setting+"_FILE", "cannot be read: "+err.Error(), "Check the path and its permissions.")
			return ""
		}
		text = string(content)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		faults.add(setting, "is missing", fix)
	}
	return text
}

// fileError returns the error of a file without the name of the system call.
func fileError(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", failed.Path, failed.Err)
	}
	return err
}

// readCount reads a whole number within bounds.
func readCount(faults *Faults, setting, text string, lowest, highest int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest {
		faults.addValue(setting, text, fmt.Sprintf("a whole number from %d to %d", lowest, highest))
	}
	return n
}

// checkAddress checks an address to listen on.
func checkAddress(faults *Faults, setting, text string) (ok bool) {
	_, port, err := net.SplitHostPort(text)
	number, convErr := strconv.Atoi(port)
	ok = err == nil && convErr == nil && number >= 0 && number <= 65535
	if !ok {
		faults.addValue(setting, text, "host and port, for example 127.0.0.1:8081, or :8080 for every interface")
	}
	return ok
}

// readYes reads yes or no.
func readYes(faults *Faults, setting, text string) bool {
	if text != "yes" && text != "no" {
		faults.addValue(setting, text, "yes or no")
	}
	return text == "yes"
}

// readDuration reads a duration within bounds, which between describes.
func readDuration(faults *Faults, setting, text string, lowest, highest time.Duration, between, example string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < lowest || d > highest {
		faults.addValue(setting, text, "a duration from "+between+", for example "+example)
	}
	return d
}
