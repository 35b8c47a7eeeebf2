// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promql

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"
)

// edgeRule is what the Prometheus rules take from a rule of the alert connector.
type edgeRule struct {
	Name      string             `yaml:"name"`
	Severity  string             `yaml:"severity"`
	Threshold map[string]float64 `yaml:"threshold"` // one
	For       int                `yaml:"for"`       // windows; 0 is 1
	Rest      map[string]any     `yaml:",inline"`
}

// edgeRules returns the rules of the alert connector as shipped, by name.
func edgeRules() (map[string]edgeRule, error) {
	var list []edgeRule
	if err := Decode("edge.yaml", &list); err != nil {
		return nil, err
	}
	rules := map[string]edgeRule{}
	for _, r := range list {
		if r.Name == "" || r.Severity == "" || len(r.Threshold) != 1 {
			return nil, fmt.Errorf("edge.yaml: rule %q: needs a name, a severity and one threshold", r.Name)
		}
		r.For = max(1, r.For)
		rules[r.Name] = r
	}
	return rules, nil
}

// edgeFunctions are the functions of a template that return what a rule of the alert connector
// has, so that its twin has the same.
func edgeFunctions(rules map[string]edgeRule, windows func(int, ...int) string) template.FuncMap {
	get := func(name string, use func(edgeRule) string) (string, error) {
		r, ok := rules[name]
		if !ok {
			return "", fmt.Errorf("edge.yaml: no rule %q", name)
		}
		return use(r), nil
	}
	limit := func(r edgeRule, divisor float64) (text string) {
		for _, value := range r.Threshold {
			text = strconv.FormatFloat(value/divisor, 'g', -1, 64)
		}
		return text
	}
	return template.FuncMap{
		"severity_of":  func(name string) (string, error) { return get(name, func(r edgeRule) string { return r.Severity }) },
		"threshold_of": func(name string) (string, error) { return get(name, func(r edgeRule) string { return limit(r, 1) }) },
		"ratio_of":     func(name string) (string, error) { return get(name, func(r edgeRule) string { return limit(r, 100) }) },
		"count_of": func(name string) (string, error) {
			return get(name, func(r edgeRule) string { return strconv.Itoa(r.For) })
		},
		"windows_of": func(name string) (string, error) { return get(name, func(r edgeRule) string { return windows(r.For) }) },
		"run_of": func(name string) (string, error) {
			return get(name, func(r edgeRule) string { return windows(r.For - 1) })
		},
	}
}

// EdgeConfig returns a collector's configuration with the shipped rules in its alert connector.
func EdgeConfig(config []byte) ([]byte, error) {
	const begin, end = "\n    rules:\n", "\n\nexporters:"
	before, rest, found := bytes.Cut(config, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte(end))
	if !found || !ended {
		return nil, errors.New("has no rules at the end of its connectors")
	}
	text, err := Read("edge.yaml")
	if err != nil {
		return nil, err
	}
	_, rules, _ := strings.Cut(string(text), "\n\n") // without the head
	var out strings.Builder
	out.Write(before)
	out.WriteString(begin)
	for line := range strings.Lines(strings.TrimRight(rules, "\n")) {
		if strings.TrimSpace(line) != "" {
			out.WriteString("      ")
		}
		out.WriteString(line)
	}
	out.WriteString(end)
	out.Write(after)
	return []byte(out.String()), nil
}
