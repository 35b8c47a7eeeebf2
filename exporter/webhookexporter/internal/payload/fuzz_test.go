// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package payload

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Whatever stands in a template, it is refused, or gives JSON of a bounded size.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		`{"a": {{ toJSON .Body }}}`, `{{ range .Body }}{{ toJSON . }}{{ end }}`, `{{ toJSON (truncate 3 (upper .Summary)) }}`,
		`{{ toJSON (choose .Severity "error" 1 2) }}`, `{{ printf "%d" 3 }}`, `{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		format, err := NewTemplate(TemplateConfig{Body: text, ContentType: JSON, Variables: map[string]string{"key": "value"}})
		if err != nil {
			return
		}
		got, err := format.Render(&Message{AlertID: "a", Body: map[string]any{"a": 1.0, "b": []any{"c"}}}, time.Unix(0, 0))
		if err == nil {
			assert.True(t, json.Valid(got.Body))
			assert.LessOrEqual(t, len(got.Body), 1<<20)
		}
	})
}
