// Package plan reads the files in which people write which numbers belong on
// which 10DLC campaign, and compares them with what Telnyx says.
//
// It does no I/O but reading those files, and makes no decision about time or
// retries: [Load] turns files into a [Set] or into [Faults], and [Diff] turns one
// campaign and its records into [Changes]. Of the rest of Greenlight it knows the
// types of package telnyx, and nothing else.
//
// # Grammar
//
// A plan is a YAML file. A folder of them is one plan, taken whole or not at all.
//
//	version: 1                  # required, and 1
//	campaigns:                  # required, one or more
//	  - name: spring-promo      # required; up to 64 of A-Z a-z 0-9 . _ -
//	    campaign_id: 751c6a5c-907b-43a9-8ada-ba1dc8335b07
//	                            # Telnyx's id, up to 64 of A-Z a-z 0-9 -
//	    tcr_campaign_id: C6X6M95
//	                            # or The Campaign Registry's
//	    reference_id: spring-2026
//	                            # or the referenceId that it is filed with, up to 64
//	                            # of A-Z a-z 0-9 _ -; exactly one of the three
//	    brand_id: 97091164-e814-435c-9c1b-14ab2d18e987
//	                            # the brand's id at Telnyx, with reference_id only
//	    messaging_profile_id: 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10
//	                            # optional; for numbers that are on no profile
//	    numbers:                # one or more; see ParseE164
//	      - +15551234567
//	      - "+15551234568"
//	    numbers_file: numbers/spring.csv
//	                            # a list or a CSV file at or below the plan's folder
//	    numbers_column: Phone   # optional; the CSV's column of numbers
//	    number_pool: 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10
//	                            # every number of this messaging profile; numbers,
//	                            # numbers_file or number_pool must be there
//	    move_from: [C6X6M94]    # optional; the campaigns that numbers may leave
//	    max_numbers: 49         # optional; 49 if absent
//
// A name, a campaign, a pool, a numbers file and a number each stand once in all
// files together. The schema for editors, config/plan.schema.json, says the same
// as far as a schema can; a test holds the two together.
//
// # Strictness
//
// A plan decides who may send from which number, so whatever could be read in two
// ways is refused with its place and a way to mend it ([Fault]): unknown, repeated
// and misspelt keys, a second document in a file, an empty file, text that YAML
// takes for something else, anchors, aliases, merge keys and tags, tabs, bytes
// that are not UTF-8, more values than a plan has use for. All faults of all files
// come at once; only a file that is no text or no YAML gets one fault and is not
// read on. A byte order mark and Windows line ends are taken.
//
// The YAML is read with github.com/oasdiff/yaml: its parser yaml3 reads
// (see reader), its Marshal prints ([Set.YAML]).
//
// # Deciding
//
// What is to be done about a number follows from its record alone:
//
//	record                                  this campaign   one of move_from  another campaign
//	none                                    attach          attach            attach
//	FAILED_ASSIGNMENT                       attach          attach            attach
//	ASSIGNED, FAILED_UNASSIGNMENT           done            move              conflict
//	PENDING_ASSIGNMENT                      wait            wait to move      conflict
//	PENDING_UNASSIGNMENT                    wait to attach  wait to attach    wait to attach
//	no status, or one that we do not know   wait            conflict          conflict
//
// No verdict asks for a number to be taken from another campaign unless the plan
// names that campaign under move_from, and none to be taken from this one. The
// statuses are those of Telnyx's phone number campaigns, see
// https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment and
// https://github.com/team-telnyx/openapi.
//
// # Concurrency
//
// Nothing here keeps state. A [Set] is not changed once it is loaded, so it may be
// shared freely.
package plan
