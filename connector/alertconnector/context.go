// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// templateData is the data of a context template.
type templateData struct {
	Rule, Metric, Severity, Status, Reason string
	FaultDomain                            string
	Value, Threshold, Baseline             any // a number, or nil
	Labels                                 map[string]string
	Snapshot                               map[string]float64
	Traces                                 []string // IDs of sampled sessions that were dropped in the window
}

const (
	maxTemplate = 4 << 10  // bytes of a template
	maxContext  = 16 << 10 // of its output
)

// parseContext parses a template. It has neither loops nor sub-templates, so that its
// execution is bounded by its length.
func parseContext(text string) (*template.Template, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("is %d bytes long, at most %d are accepted", len(text), maxTemplate)
	}
	parsed, err := template.New("context").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	if len(parsed.Templates()) > 1 {
		return nil, errors.New("define and block are not supported in a context")
	}
	if parsed.Tree == nil {
		return parsed, nil
	}
	return parsed, checkNodes(parsed.Root)
}

func checkNodes(list *parse.ListNode) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		var branch *parse.BranchNode
		switch node := node.(type) {
		case *parse.RangeNode, *parse.TemplateNode:
			return errors.New("range and template are not supported in a context")
		case *parse.IfNode:
			branch = &node.BranchNode
		case *parse.WithNode:
			branch = &node.BranchNode
		default:
			continue
		}
		if err := errors.Join(checkNodes(branch.List), checkNodes(branch.ElseList)); err != nil {
			return err
		}
	}
	return nil
}

// checkContext executes a template on sample data, with any label and metric, so that a
// template that cannot work is an error of the configuration.
func checkContext(text string) error {
	parsed, err := parseContext(text)
	if err != nil {
		return err
	}
	_, err = render(parsed.Option("missingkey=zero"), &templateData{Value: 1.0, Threshold: 1.0, Baseline: 1.0})
	if unknown := unknownField.FindStringSubmatch(fmt.Sprint(err)); unknown != nil {
		return fmt.Errorf("%s: the template has no such field; the fields are %s", unknown[1], strings.Join(templateFields(), ", "))
	}
	return err
}

// unknownField finds the expression with a field that templateData does not have, in the error of text/template.
var unknownField = regexp.MustCompile(`<([^>]*)>: can't evaluate field \S+ in type \*alertconnector\.templateData`)

// templateFields are the names of templateData, as a template writes them.
func templateFields() []string {
	var names []string
	for field := range reflect.TypeFor[templateData]().Fields() {
		names = append(names, "."+field.Name)
	}
	return names
}

func render(context *template.Template, with *templateData) (string, error) {
	var out limitedBuilder
	err := context.Execute(&out, with)
	return out.String(), err
}

// limitedBuilder accepts maxContext bytes.
type limitedBuilder struct{ strings.Builder }

func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxContext {
		return 0, fmt.Errorf("its output exceeds %d bytes", maxContext)
	}
	return b.Builder.Write(p)
}

// templateDataOf returns the data of an alert.
func templateDataOf(a *engine.Alert, metric string) *templateData {
	f := &templateData{
		Rule: a.Rule, Metric: metric, Severity: a.Severity, Status: status(a), Reason: a.Reason.String(), FaultDomain: a.FaultDomain,
		Value: number(a.Value), Threshold: number(a.Threshold), Baseline: number(a.Baseline),
		Labels: a.Attributes.Map(), Snapshot: map[string]float64{}, Traces: a.Traces,
	}
	for _, v := range a.Snapshot {
		f.Snapshot[v.Metric] = v.Value
	}
	return f
}

func number(n *float64) any {
	if n == nil {
		return nil
	}
	return *n
}

func status(a *engine.Alert) string {
	if a.Resolved {
		return wsevent.StatusResolved
	}
	return wsevent.StatusFiring
}
