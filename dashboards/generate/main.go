// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/wswindowprocessor"
)

func main() {
	rules := flag.Duration("rules", 0, "print the Prometheus rules for windows of this step, and write nothing")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: generate ROOT, the root of the repository\n       generate -rules STEP")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*rules, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(step time.Duration, arguments []string) error {
	if step > 0 {
		text, err := promql.Rules(step)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	}
	if len(arguments) != 1 {
		return errors.New("want one argument, the root of the repository")
	}
	files, err := generate()
	if err != nil {
		return err
	}
	for _, name := range edgeConfigs {
		config, err := os.ReadFile(filepath.Join(arguments[0], name)) //nolint:gosec // of the repository
		if err == nil {
			files[name], err = promql.EdgeConfig(config)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(arguments[0], filepath.Dir(name)), 0o755); err != nil { //nolint:gosec // so is their folder
			return err
		}
		if err := os.WriteFile(filepath.Join(arguments[0], name), text, 0o644); err != nil { //nolint:gosec // everybody may read a dashboard
			return err
		}
	}
	return nil
}

// edgeConfigs are the configurations that have the shipped rules of the alert connector.
var edgeConfigs = []string{"config/alerting.yaml", "config/on-call.yaml"}

// generate makes every file, by its path in the repository.
func generate() (map[string][]byte, error) {
	files, err := dashboards()
	if err != nil {
		return nil, err
	}
	window := wswindowprocessor.NewFactory().CreateDefaultConfig().(*wswindowprocessor.Config)
	if files["deploy/prometheus/rules/ccaas.yaml"], err = promql.Rules(window.Size - window.Overlap); err != nil {
		return nil, err
	}
	files["extension/dashboardextension/page/src/queries.gen.ts"], err = promql.Page()
	return files, err
}

// dashboards builds Grafana's.
func dashboards() (map[string][]byte, error) {
	library, err := grafana()
	if err != nil {
		return nil, err
	}
	all, variables := map[string]asked{}, map[string]string{}
	for _, name := range []string{"overview", "sessions", "stream-health", "alerts"} {
		if all[name], err = library.Panels(name + ".yaml"); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{stepVariable, freshVariable} {
		if variables[name], err = library.Expand("<%" + name + "%>"); err != nil {
			return nil, err
		}
	}
	builders := map[string]*dashboard.DashboardBuilder{
		"dashboards/overview.json":      overview(all["overview"], all["stream-health"], variables),
		"dashboards/sessions.json":      sessions(all["sessions"], variables),
		"dashboards/stream-health.json": streamHealth(all["stream-health"], variables),
		"dashboards/alerts.json":        alerts(all["alerts"], variables),
	}
	for _, s := range stores() {
		builders["dashboards/"+s.folder+"/overview.json"] = s.overview(all["overview"])
	}
	files := map[string][]byte{}
	for name, builder := range builders {
		built, err := builder.Build()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text, err := encode(number(built))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = text
		if name != "dashboards/overview.json" {
			continue
		}
		library, err := libraryPanels(built)
		if err != nil {
			return nil, fmt.Errorf("library panels: %w", err)
		}
		maps.Copy(files, library)
	}
	files["deploy/elastic/kibana.ndjson"], err = kibana(all["overview"])
	return files, err
}

// number gives every panel its id, by which Grafana's links find it.
func number(built dashboard.Dashboard) dashboard.Dashboard {
	for i := range built.Panels {
		id := uint32(i + 1)
		if panel := built.Panels[i].Panel; panel != nil {
			panel.Id = &id
		} else {
			built.Panels[i].RowPanel.Id = id
		}
	}
	return built
}

// encode leaves <, > and & as they are, so that queries can be read in the file.
func encode(built dashboard.Dashboard) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(built); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
