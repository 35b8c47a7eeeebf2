// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promql

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Rules is the file of Prometheus rules for windows of a step.
func Rules(step time.Duration) ([]byte, error) {
	windows := func(count int, more ...int) string {
		length := time.Duration(count) * step
		for _, seconds := range more {
			length += time.Duration(seconds) * time.Second
		}
		return duration(length)
	}
	edge, err := edgeRules()
	if err != nil {
		return nil, err
	}
	functions := edgeFunctions(edge, windows)
	functions["step"] = func() string { return duration(step) }
	functions["seconds"] = func() string { return strconv.FormatFloat(step.Seconds(), 'f', -1, 64) }
	functions["windows"] = windows
	l, err := NewLibrary(map[string]string{"series": "", "streams": "", "range": duration(step)}, functions)
	if err != nil {
		return nil, err
	}
	text, err := files.ReadFile("rules.yaml")
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("rules.yaml: %w", err)
	}
	if err := l.expandAll(&document); err != nil {
		return nil, fmt.Errorf("rules.yaml: %w", err)
	}
	document.HeadComment = ""
	document.Content[0].HeadComment = strings.ReplaceAll(rulesHead, "STEP", duration(step))
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return []byte(blankLines.Replace(out.String())), nil
}

// rulesHead heads the generated file.
const rulesHead = `# What the alert connector decides at the edge, as rules for a Prometheus or a Mimir. README.md says where they differ.
# Generated from dashboards/promql for a window every STEP; do not edit. README.md says how to generate it for another step.
#
# A window arrives within 10 seconds of its end, with which it is stamped. So the groups evaluate each window once, 10 seconds
# late: the range (t - STEP, t] holds exactly one window of a series, and none when it is missing.`

// blankLines separates groups and alerts, as the encoder does not.
var blankLines = strings.NewReplacer("rules:\n      - ", "rules:\n      - ", "\n      - alert:", "\n\n      - alert:", "\n  - name:", "\n\n  - name:", "groups:\n  - name:", "groups:\n  - name:")

// expandAll expands the scalars of a document.
func (l *Library) expandAll(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "<%") {
		expanded, err := l.Expand(n.Value)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		n.Value = expanded
		if strings.Contains(expanded, "\n") {
			n.Style = yaml.LiteralStyle
		}
	}
	for _, child := range n.Content {
		if err := l.expandAll(child); err != nil {
			return err
		}
	}
	return nil
}

// duration is a length of time as PromQL writes it.
func duration(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}
