// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// facts are what a context template can speak of.
type facts struct {
	Rule, Metric, Severity, Status, Reason string
	Value, Threshold, Baseline             any // a number, or nil
	Labels                                 map[string]string
	Snapshot                               map[string]float64
}

const (
	maxTemplate = 4 << 10  // bytes of a template
	maxContext  = 16 << 10 // and of what it makes
)

// parseContext reads a template. It has no loops and no sub-templates, so that it
// ends as soon as it is read through.
func parseContext(text string) (*template.Template, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("is %d bytes long, at most %d are taken", len(text), maxTemplate)
	}
	parsed, err := template.New("context").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	if len(parsed.Templates()) > 1 {
		return nil, errors.New("define and block are not for a context")
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
			return errors.New("range and template are not for a context")
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

// checkContext tries a template on made-up facts, with any label and metric, so
// that what cannot work at all shows before it is needed.
func checkContext(text string) error {
	parsed, err := parseContext(text)
	if err != nil {
		return err
	}
	_, err = render(parsed.Option("missingkey=zero"), &facts{Value: 1.0, Threshold: 1.0, Baseline: 1.0})
	return err
}

func render(context *template.Template, with *facts) (string, error) {
	var out limitedBuilder
	err := context.Execute(&out, with)
	return out.String(), err
}

// limitedBuilder takes maxContext bytes.
type limitedBuilder struct{ strings.Builder }

func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxContext {
		return 0, fmt.Errorf("makes more than %d bytes", maxContext)
	}
	return b.Builder.Write(p)
}

// factsOf are those of an alert.
func factsOf(a *engine.Alert, metric string) *facts {
	f := &facts{
		Rule: a.Rule, Metric: metric, Severity: a.Severity, Status: status(a), Reason: a.Reason.String(),
		Value: number(a.Value), Threshold: number(a.Threshold), Baseline: number(a.Baseline),
		Labels: a.Attributes.Map(), Snapshot: map[string]float64{},
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
