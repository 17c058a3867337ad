"""XML files that name what is wrong with them."""

import xml.etree.ElementTree as ET
from pathlib import Path

from zoo.errors import DataError


def read_root(path: Path, tag: str, program: str) -> ET.Element:
    """Root element of an XML file.

    Args:
        path: the file.
        tag: what the root must be called.
        program: which program writes such files, for the message.

    Raises:
        DataError: missing, no XML, or another kind of XML.
    """
    try:
        root = ET.parse(path).getroot()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); check the name") from error
    except (ET.ParseError, UnicodeError, ValueError) as error:
        raise DataError(f"{path}: not an XML file ({error}); download it again") from error
    if root.tag != tag:
        raise DataError(f"{path}: begins with <{root.tag}>, not <{tag}>; is this a file of {program}?")
    return root
