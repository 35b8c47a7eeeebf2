// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package configcheck

import (
	"regexp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/confduration"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/spelling"
)

// explained is an error with a text of its own.
type explained struct {
	error

	text string
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.error }

const (
	// notDecoded begins the text of errors of decoding.
	notDecoded = "failed to get config: cannot unmarshal the configuration: "
	// unknownKeys is the text of confmap's decoder for keys that no field takes.
	unknownKeys = "has invalid keys"
	// unknownSignal is the text for the name of a pipeline without a signal.
	unknownSignal = "unknown pipeline signal"
	// severalErrors precedes each level of the decoder's errors.
	severalErrors = "decoding failed due to the following error(s):"
)

// Explain replaces the text of an error of decoding by a line for each of its causes,
// which begins with the path of the key: of a key that is unknown, with the one that
// was probably meant. It adds the probable name to errors about components that are
// not known or not configured. All other errors are returned unchanged.
func (c *Checker) Explain(err error) error {
	if err == nil || c.latest() == nil {
		return err
	}
	text := err.Error()
	if near := nearComponent(text, c.latest()); near != "" {
		return &explained{error: err, text: text + "; " + near}
	}
	if !strings.HasPrefix(text, notDecoded) {
		return err
	}
	lines := withHints(flatten("", err), c.suggestions())
	for i, line := range lines {
		if near := nearType(line); near != "" {
			lines[i] += "; " + near
		}
		if strings.Contains(line, unknownSignal) {
			lines[i] += "; the name of a pipeline is its signal (logs, metrics or traces), or that with a name after a slash, as logs/alerts"
		}
	}
	slices.Sort(lines)
	separator := " "
	if len(lines) > 1 {
		separator = "\n  "
	}
	return &explained{error: err, text: "invalid configuration:" + separator + strings.Join(slices.Compact(lines), separator)}
}

// ExplainDecoding replaces the text of an error of decoding raw into config, a pointer to a struct,
// as Explain does.
func ExplainDecoding(raw map[string]any, config any, err error) error {
	if err == nil {
		return nil
	}
	var hints []string
	for _, unknown := range confduration.UnknownKeys(raw, config) {
		hints = append(hints, unknown.Path+": unknown key; "+meant(unknown))
	}
	lines := withHints(flatten("", err), hints)
	slices.Sort(lines)
	return &explained{error: err, text: strings.Join(slices.Compact(lines), "\n")}
}

// withHints replaces the lines of sections with unknown keys by hints, a line for each such key.
func withHints(lines, hints []string) []string {
	lines = slices.DeleteFunc(lines, func(line string) bool {
		section, _, unknown := strings.Cut(line, unknownKeys)
		section = strings.TrimSuffix(section, ": ")
		return unknown && slices.ContainsFunc(hints, func(hint string) bool {
			return section == "" || strings.HasPrefix(hint, section+confmap.KeyDelimiter)
		})
	})
	return append(lines, hints...)
}

var ofComponent = regexp.MustCompile(`^error reading configuration for "([^"]+)": `)

// flatten returns a line for each cause of an error of decoding.
func flatten(path string, err error) []string {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var lines []string
		for _, one := range several.Unwrap() {
			lines = append(lines, flatten(path, one)...)
		}
		return lines
	}
	text := err.Error()
	if named, ok := err.(interface{ Name() string }); ok { // mapstructure.DecodeError
		// Of unknown keys the name is the Go type of the section.
		if name := named.Name(); name != "" && !strings.HasPrefix(strings.TrimPrefix(text, "'"+name+"' "), unknownKeys) || strings.HasPrefix(name, "service") {
			path = join(path, strings.ReplaceAll(name, ".", confmap.KeyDelimiter))
		}
		text = strings.TrimPrefix(text, "'"+named.Name()+"' ")
	} else if of := ofComponent.FindStringSubmatch(text); of != nil {
		path = join(path, of[1])
	}
	if single, ok := err.(interface{ Unwrap() error }); ok && single.Unwrap() != nil && wraps(text) {
		return flatten(path, single.Unwrap())
	}
	if path == "" {
		return []string{text}
	}
	return []string{path + ": " + text}
}

// wraps is whether a text says no more than that it wraps another error.
func wraps(text string) bool {
	return strings.HasPrefix(text, notDecoded) || strings.HasPrefix(text, strings.TrimPrefix(notDecoded, "failed to get config: ")) ||
		strings.HasPrefix(text, severalErrors) || ofComponent.MatchString(text) || strings.Contains(text, severalErrors) ||
		strings.HasPrefix(text, "'")
}

func join(path, name string) string {
	return strings.TrimPrefix(path+confmap.KeyDelimiter+name, confmap.KeyDelimiter)
}

var (
	unknownType   = regexp.MustCompile(`unknown type: "([^"]+)" for id: "[^"]*" \(valid values: \[([^\]]*)\]\)`)
	notConfigured = regexp.MustCompile(`references (receiver|processor|exporter|connector|extension) "([^"]+)" which is not configured`)
)

// nearType returns the type of component that was probably meant.
func nearType(line string) string {
	match := unknownType.FindStringSubmatch(line)
	if match == nil {
		return ""
	}
	return didYouMean(match[1], strings.Fields(match[2]))
}

// nearComponent returns the configured component that was probably meant.
func nearComponent(text string, conf map[string]any) string {
	match := notConfigured.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	known := ids(conf, match[1]+"s")
	if match[1] == "receiver" || match[1] == "exporter" {
		known = append(known, ids(conf, "connectors")...)
	}
	return didYouMean(match[2], known)
}

func didYouMean(name string, known []string) string {
	if nearest, near := spelling.Nearest(name, known); near {
		return "did you mean " + nearest + "?"
	}
	return ""
}
