// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

//go:embed configs.txt
var configurations string

// badge is how a configuration is shown to work.
type badge struct {
	verdict string
	links   string
}

// badges reads the list of configurations. Each file of the folder must be in it once.
func badges(text, folder string, tests map[string]string) (map[string]badge, error) {
	found := map[string]badge{}
	var errs []error
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, "|")
		if len(parts) != 3 {
			errs = append(errs, fmt.Errorf("configs.txt, line %d: has %d fields, must have 3", i+1, len(parts)))
			continue
		}
		name, verdict := strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1])
		if _, twice := found[name]; twice {
			errs = append(errs, fmt.Errorf("configs.txt, line %d: %s is there twice", i+1, name))
		}
		if !slices.Contains(verdicts[:3], verdict) {
			errs = append(errs, fmt.Errorf("configs.txt, line %d: verdict %q: must be one of %q", i+1, verdict, verdicts[:3]))
		}
		links, err := linksOf(parts[2], tests)
		if err == nil && len(links) == 0 {
			err = fmt.Errorf("%s has no test", name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("configs.txt, line %d: %w", i+1, err))
		}
		found[name] = badge{verdict, strings.Join(links, ", ")}
	}
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		errs = append(errs, err)
		for _, file := range files {
			if _, listed := found[filepath.Base(file)]; !listed {
				errs = append(errs, fmt.Errorf("configs.txt: %s is not there: add it with a verdict and a test", filepath.Base(file)))
			}
		}
	}
	for name := range found {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			errs = append(errs, fmt.Errorf("configs.txt: %w", err))
		}
	}
	return found, errors.Join(errs...)
}

// linksOf are links to tests.
func linksOf(names string, tests map[string]string) (links []string, err error) {
	var errs []error
	for name := range strings.FieldsSeq(names) {
		folder, exists := tests[name]
		if !exists {
			errs = append(errs, fmt.Errorf("there is no test %s", name))
		}
		links = append(links, fmt.Sprintf("[%s](../%s)", name, folder))
	}
	return links, errors.Join(errs...)
}

var configLink = regexp.MustCompile(`\]\(([a-z-]+\.ya?ml)\)`)

// withBadges sets the third cell of each row that begins with links to configurations.
func withBadges(page string, of map[string]badge) string {
	var text strings.Builder
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) < 2 || !strings.HasPrefix(line, "| [") {
			text.WriteString(line)
			continue
		}
		var shown []string
		for _, link := range configLink.FindAllStringSubmatch(cells[0], -1) {
			one := of[link[1]]
			if badge := fmt.Sprintf("*%s*: %s", one.verdict, one.links); one.verdict != "" && !slices.Contains(shown, badge) {
				shown = append(shown, badge)
			}
		}
		use := strings.TrimSuffix(strings.TrimSpace(cells[1]), " |")
		text.WriteString(cells[0] + " | " + use + " | " + strings.Join(shown, "; ") + " |\n")
	}
	return text.String()
}
