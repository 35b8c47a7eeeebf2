// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package promql holds the PromQL expressions of the dashboards, the Prometheus rules
// and the live page, each once: macros.yaml is what they share, every other file what one
// target asks. Grafana's JSON, the rules and the page's queries are generated from them.
package promql

import (
	"embed"
	"fmt"
	"maps"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// Macro is an expression template with parameters.
type Macro struct {
	Name        string
	Parameters  []string
	Description string
	Expr        string
}

// Panel is what one panel of a Grafana dashboard asks and says.
type Panel struct {
	Name        string
	Title       string
	Unit        string // Grafana's name of it
	Description string
	Queries     []Query
}

// Query is an expression and the name of its lines.
type Query struct{ Expr, Legend string }

// Panels reads the panels of a file, with their expressions expanded, by name.
func (l *Library) Panels(file string) (map[string]Panel, error) {
	var list []Panel
	if err := Decode(file, &list); err != nil {
		return nil, err
	}
	panels := map[string]Panel{}
	for _, p := range list {
		if _, twice := panels[p.Name]; twice || p.Title == "" || p.Description == "" || len(p.Queries) == 0 {
			return nil, fmt.Errorf("%s: panel %q: is there twice, or lacks title, description or queries", file, p.Name)
		}
		for n := range p.Queries {
			var err error
			if p.Queries[n].Expr, err = l.Expand(p.Queries[n].Expr); err != nil {
				return nil, fmt.Errorf("%s: panel %q: %w", file, p.Name, err)
			}
		}
		panels[p.Name] = p
	}
	return panels, nil
}

// Library expands templates for one target.
type Library struct {
	macros map[string]Macro
	target map[string]any
	extra  template.FuncMap
}

// NewLibrary reads the macros. The target's values are the fields of every template; extra
// functions are its own.
func NewLibrary(target map[string]string, extra template.FuncMap) (*Library, error) {
	var list []Macro
	if err := Decode("macros.yaml", &list); err != nil {
		return nil, err
	}
	l := &Library{macros: map[string]Macro{}, target: map[string]any{}, extra: extra}
	for name, value := range target {
		l.target[name] = value
	}
	return l, l.Define(list...)
}

// Define adds macros.
func (l *Library) Define(list ...Macro) error {
	for _, m := range list {
		if _, twice := l.macros[m.Name]; twice || m.Name == "" || m.Expr == "" {
			return fmt.Errorf("macro %q: is defined twice, or without name or expr", m.Name)
		}
		l.macros[m.Name] = m
	}
	return nil
}

// Expand expands a template. A selector without matchers loses its braces.
func (l *Library) Expand(text string) (string, error) {
	expanded, err := l.expand(text, l.target)
	return strings.ReplaceAll(expanded, "{}[", "["), err
}

func (l *Library) expand(text string, fields map[string]any) (string, error) {
	functions := template.FuncMap{}
	maps.Copy(functions, l.extra)
	for name, m := range l.macros {
		functions[name] = func(arguments ...string) (string, error) { return l.call(m, arguments) }
	}
	parsed, err := template.New("").Delims("<%", "%>").Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	var expanded strings.Builder
	if err := parsed.Execute(&expanded, fields); err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	return expanded.String(), nil
}

func (l *Library) call(m Macro, arguments []string) (string, error) {
	if len(arguments) != len(m.Parameters) {
		return "", fmt.Errorf("macro %s: has %d parameters, is called with %d arguments", m.Name, len(m.Parameters), len(arguments))
	}
	fields := maps.Clone(l.target)
	for n, parameter := range m.Parameters {
		fields[parameter] = arguments[n]
	}
	return l.expand(m.Expr, fields)
}

// Read returns one of the YAML files.
func Read(name string) ([]byte, error) { return files.ReadFile(name) }

// Decode decodes one of the YAML files; a key that is not known is an error.
func Decode(name string, into any) error {
	file, err := files.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
