// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/spelling"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// alertSource is the type of the connector whose records are alerts.
const alertSource = "alert"

// keepsBody are processors that leave the bodies of records as they are.
var keepsBody = []string{"batch", "memory_limiter", "filter", "resource", "attributes", "resourcedetection"}

// WarningsOfInput returns a warning for each key below .Body in the template that no
// alert has, where the records are alerts for certain: of other records the keys are not
// known. The validate command prints them. Types are those of the receivers and the
// processors before the exporter.
func (c *Config) WarningsOfInput(types []string) []string {
	if c.Format != payload.FormatTemplate || !slices.Contains(types, alertSource) {
		return nil
	}
	for _, kind := range types {
		if kind != alertSource && !slices.Contains(keepsBody, kind) {
			return nil
		}
	}
	template, err := payload.NewTemplate(c.payload().Template)
	if err != nil {
		return nil // Validate returns it
	}
	known := wsevent.AlertKeys()
	var warnings []string
	for _, key := range template.BodyKeys() {
		if slices.Contains(known, key) {
			continue
		}
		hint := "its keys are " + strings.Join(known, ", ")
		if nearest, near := spelling.Nearest(key, known); near {
			hint = "did you mean .Body." + nearest + "?"
		}
		warnings = append(warnings, fmt.Sprintf("template::body: .Body.%s: an alert's body has no such key, and its value is null; %s", key, hint))
	}
	return warnings
}
