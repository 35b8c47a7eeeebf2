// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promql

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// page is page.yaml.
type page struct {
	Queries []struct {
		Name, Unit, Description string
		Over                    string // range: at every point of the grid; instant: at its newest window
		Expr                    string
		Kinds                   yaml.Node // expressions by kind, in order
	}
	Parts  []Macro
	Limits map[string]int
	Totals []string
	Macros []Macro
}

// Page is the TypeScript module of the page's queries: a function of parameters for each.
func Page() ([]byte, error) {
	var p page
	if err := Decode("page.yaml", &p); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	text, err := files.ReadFile("page.yaml")
	if err != nil {
		return nil, err
	}
	macros, err := files.ReadFile("macros.yaml")
	if err != nil {
		return nil, err
	}
	for _, field := range regexp.MustCompile(`[ (<%]\.([a-z_]+)`).FindAllStringSubmatch(string(text)+string(macros), -1) {
		fields[field[1]] = "${p." + field[1] + "}"
	}
	l, err := NewLibrary(fields, template.FuncMap{"limit": func(name string) (string, error) {
		if p.Limits[name] == 0 {
			return "", fmt.Errorf("limits: no %s", name)
		}
		return strconv.Itoa(p.Limits[name]), nil
	}})
	if err != nil {
		return nil, err
	}
	if err := l.Define(p.Macros...); err != nil {
		return nil, err
	}
	return p.typeScript(l)
}

// typeScript writes the module.
func (p *page) typeScript(l *Library) ([]byte, error) {
	var body strings.Builder
	body.WriteString("export const queries = {\n")
	for _, q := range p.Queries {
		expression, err := l.kinds(q.Expr, &q.Kinds)
		if err != nil {
			return nil, fmt.Errorf("page.yaml: query %s: %w", q.Name, err)
		}
		fmt.Fprintf(&body, "  /** %s; %s */\n  %s: {\n    over: '%s',\n    expression: (p: Parameters) =>\n      `%s`,\n  },\n", q.Description, q.Unit, q.Name, q.Over, expression)
	}
	body.WriteString("} as const;\n\n/** Parts of queries that queries.ts puts together. */\nexport const parts = {\n")
	for _, part := range p.Parts {
		expression, err := l.Expand(part.Expr)
		if err != nil {
			return nil, fmt.Errorf("page.yaml: part %s: %w", part.Name, err)
		}
		fmt.Fprintf(&body, "  %s: (p: Parameters) =>\n    `%s`,\n", part.Name, expression)
	}
	body.WriteString("} as const;\n")
	used := map[string]bool{}
	for _, parameter := range regexp.MustCompile(`\$\{p\.(\w+)\}`).FindAllStringSubmatch(body.String(), -1) {
		used[parameter[1]] = true
	}
	var out strings.Builder
	out.WriteString("// Copyright The otelcol-ccaas Authors\n// SPDX-License-Identifier: Apache-2.0\n\n" +
		"// Generated from dashboards/promql; do not edit: change page.yaml and run make generate.\n\n" +
		"/** Parameters are what the queries depend on; a query uses some of them. */\nexport interface Parameters {\n")
	for _, name := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&out, "  %s: string;\n", name)
	}
	out.WriteString("}\n\n/** How much is shown of what has no end. */\nexport const limits = {\n")
	for _, name := range slices.Sorted(maps.Keys(p.Limits)) {
		fmt.Fprintf(&out, "  %s: %d,\n", name, p.Limits[name])
	}
	out.WriteString("} as const;\n\n/** The running counters, in the order in which they are shown. */\nexport const totals = [\n")
	for _, total := range p.Totals {
		fmt.Fprintf(&out, "  '%s',\n", total)
	}
	out.WriteString("] as const;\n\n" + body.String())
	return []byte(out.String()), nil
}

// kinds is an expression, or several of them distinguished by the label kind.
func (l *Library) kinds(expr string, kinds *yaml.Node) (string, error) {
	if expr != "" {
		return l.Expand(expr)
	}
	var all []string
	for n := 0; n+1 < len(kinds.Content); n += 2 {
		expanded, err := l.Expand(kinds.Content[n+1].Value)
		if err != nil {
			return "", err
		}
		all = append(all, fmt.Sprintf(`label_replace(%s, "kind", "%s", "", "")`, expanded, kinds.Content[n].Value))
	}
	if len(all) == 0 {
		return "", errors.New("has neither expr nor kinds")
	}
	return strings.Join(all, " or "), nil
}
