//! Errors told to callers.

use crate::flow::Sink;
use crate::rule::{Area, Look, ReviewRule};

pub(super) static RULE: ReviewRule = ReviewRule {
    id: "error-told",
    area: Area::Network,
    title: "a caller is told what went wrong inside",
    why: "Errors name hosts, paths, statements and versions.",
    mend: "answer with a general text and an id, and log the cause under the id",
    file: "app.py",
    bad: "from fastapi import FastAPI, HTTPException\n\napp = FastAPI()\n\n\n@app.get(\"/orders\")\ndef orders(user=Depends(who)):\n    try:\n        return load()\n    except Exception as error:\n        raise HTTPException(500, detail=str(error))\n",
    good: "from fastapi import FastAPI, HTTPException\n\napp = FastAPI()\n\n\n@app.get(\"/orders\")\ndef orders(user=Depends(who)):\n    try:\n        return load()\n    except Exception:\n        raise HTTPException(500, detail=\"something went wrong\")\n",
    owasp: &["LLM02", "ASI09", "MCP10"],
    refusal: None,
    looks: &[Look::Flow(Sink::Answer)],
};
